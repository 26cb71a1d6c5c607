import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const mostFunctions = 25;

/** Where a profile says time went: functions by their own time, in per cent of the time that was not idle. */
function summarize(path: string): string[] {
  const profile = JSON.parse(readFileSync(path, 'utf8')) as Profile;
  const names = new Map(
    profile.nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => [
      id,
      `${functionName === '' ? '(anonymous)' : functionName} ${basename(url)}:${lineNumber + 1}`,
    ]),
  );
  const own = new Map<string, number>();
  let totalUs = 0;
  for (const [index, id] of profile.samples.entries()) {
    const name = names.get(id) ?? '';
    if (name.startsWith('(idle)')) continue;
    const tookUs = profile.timeDeltas[index] ?? 0;
    totalUs += tookUs;
    own.set(name, (own.get(name) ?? 0) + tookUs);
  }
  return [...own]
    .sort(([, one], [, other]) => other - one)
    .slice(0, mostFunctions)
    .map(([name, tookUs]) => `${((tookUs * 100) / totalUs).toFixed(1).padStart(5)} %  ${name}`);
}

/** Summaries of the profiles in `dir` that were not in `before`. */
export function printProfiles(dir: string, before: ReadonlySet<string>, say: (line: string) => void): void {
  for (const name of listProfiles(dir)) {
    if (before.has(name)) continue;
    say(`${join(dir, name)}, own time:`);
    for (const line of summarize(join(dir, name))) say(`  ${line}`);
  }
}

export const listProfiles = (dir: string): string[] => (existsSync(dir) ? readdirSync(dir) : []);

/**
 * `npm run bench [-- CASE...]`: measures the product as it is shipped, beside its peers, and prints what came out; the figures
 * go to test/bench/results/latest.json and, one line a run, to history.jsonl. Nothing is asserted about speed here: machines
 * are noisy, so look at ratios within one run. A failed request is an error, whatever the figures say.
 */
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import { readArguments, usage } from './arguments.ts';
import { cases } from './cases/cases.ts';
import { type BenchReport, findRegressions, readHistory } from './history.ts';
import { listProfiles, printProfiles } from './profile.ts';
import type { BenchResult } from './result.ts';
import { judge } from './targets.ts';

const resultsDir = join(process.cwd(), 'test', 'bench', 'results');
const refuse = (reason: string): never => {
  console.error(`${reason}\n${usage}\ncases: ${cases.map(({ name }) => name).join(' ')}`);
  process.exit(2);
};

function readCommandLine(): ReturnType<typeof readArguments> {
  try {
    return readArguments(process.argv.slice(2));
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

const { cases: asked, options } = readCommandLine();
const unknown = asked.filter((name) => !cases.some((each) => each.name === name));
if (unknown.length > 0) refuse(`unknown case ${unknown.join(', ')}`);

async function whyNot(needs: 'docker' | 'linux' | 'nothing'): Promise<string | null> {
  if (needs === 'linux' && process.platform !== 'linux')
    return 'it pins processes to cores and reads /proc: needs Linux';
  if (needs !== 'docker') return null;
  return new Docker().ping().then(
    () => null,
    () => 'no container engine answers',
  );
}

const profilesDir = join(process.cwd(), '.build', 'bench', 'profiles');
const startedAt = new Date().toISOString();
const results: BenchResult[] = [];
for (const each of cases.filter(({ name }) => asked.length === 0 || asked.includes(name))) {
  const reason = await whyNot(each.needs);
  console.log(reason === null ? `${each.name}:` : `${each.name}: skipped, ${reason}`);
  if (reason !== null) continue;
  const before = new Set(listProfiles(profilesDir));
  const say = (line: string) => console.log(`  ${line}`);
  results.push(...(await each.run(say, options)));
  if (options.profile) printProfiles(profilesDir, before, say);
}

const machine = { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, node: process.version };
const report: BenchReport = { startedAt, machine, results };
const verdicts = judge(results);
if (verdicts.length > 0) {
  console.log('\ntargets:');
  for (const { what, target, figure, met, uncertain } of verdicts) {
    const note = uncertain ? '   uncertain: most rounds were disturbed' : '';
    console.log(`  ${met ? 'met   ' : 'MISSED'} ${what.padEnd(66)} ${target.padStart(8)}   ${figure}${note}`);
  }
}
const historyPath = join(resultsDir, 'history.jsonl');
const regressions = findRegressions(report, readHistory(historyPath));
for (const regression of regressions) console.log(`worse than before: ${regression}`);
if (options.save) {
  mkdirSync(resultsDir, { recursive: true });
  writeFileSync(join(resultsDir, 'latest.json'), `${JSON.stringify({ ...report, targets: verdicts }, null, 2)}\n`);
  appendFileSync(historyPath, `${JSON.stringify(report)}\n`);
}
const failures = results.reduce((sum, result) => sum + (result.failures ?? 0), 0);
if (failures > 0) console.error(`${failures} requests failed`);
process.exit(failures > 0 ? 1 : 0);

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Answered } from './answers.ts';
import type { Scenario } from './scenario.ts';

/** Answers of Istio, by scenario, ask by ask. */
export type Recorded = Record<string, readonly Answered[]>;

/** Hand-written scenarios are in the sources; only the answers are kept. */
export interface Recording {
  readonly arbiter: string;
  readonly answers: Readonly<Record<string, readonly Answered[]>>;
}

/** Generated scenarios are kept with their answers, so that they do not depend on the generator. */
export interface GeneratedRecording {
  readonly arbiter: string;
  readonly cases: readonly (Scenario & { readonly answers: readonly Answered[] })[];
}

const arbiter = 'istiod of 2024-02 (1.22) with Envoy 1.40';

/**
 * Hand-written scenarios that were not asked keep what was recorded of them, in the order of the sources.
 * @param generated names of generated scenarios; without any, those recorded before stay
 * @param written names of all hand-written scenarios
 */
export function record(
  folder: string,
  recorded: Recorded,
  generated: ReadonlySet<string>,
  all: readonly Scenario[],
  written: readonly string[],
): void {
  const path = join(folder, 'istio.json');
  const before = existsSync(path) ? readRecording<Recording>(path).answers : {};
  const known = { ...before, ...recorded };
  const answers = Object.fromEntries(
    written.flatMap((name) => (known[name] === undefined ? [] : [[name, known[name]]])),
  );
  const cases = all
    .filter(({ name }) => generated.has(name))
    .map((scenario) => ({ ...scenario, answers: recorded[scenario.name] ?? [] }));
  if (Object.keys(answers).length > 0) {
    const lines = Object.entries(answers).map(([name, own]) => `${JSON.stringify(name)}: ${JSON.stringify(own)}`);
    write(folder, 'istio.json', `{"arbiter": ${JSON.stringify(arbiter)}, "answers": {\n${lines.join(',\n')}\n}}\n`);
  }
  if (cases.length > 0) {
    const lines = cases.map((one) => JSON.stringify(one));
    write(folder, 'generated.json', `{"arbiter": ${JSON.stringify(arbiter)}, "cases": [\n${lines.join(',\n')}\n]}\n`);
  }
}

const write = (folder: string, file: string, text: string) => writeFileSync(join(folder, file), text);

/** What was recorded in a file. */
export function readRecording<T extends Recording | GeneratedRecording>(path: string): T {
  return JSON.parse(readFileSync(path, 'utf8')) as T;
}

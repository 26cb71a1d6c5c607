import { parseArgs } from 'node:util';
import type { BenchOptions } from './result.ts';

export const usage = `npm run bench -- [CASE...] [--quick] [--programs a,b] [--connections 1,32] [--rounds N] [--seconds S] [--no-save] [--profile]`;

const list = (text: string | undefined): string[] => (text === undefined ? [] : text.split(',').filter(Boolean));

/** Throws what `parseArgs` throws for an unknown option. */
export function readArguments(args: readonly string[]): {
  readonly cases: readonly string[];
  readonly options: BenchOptions;
} {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      programs: { type: 'string' },
      connections: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      profile: { type: 'boolean', default: false },
      'no-save': { type: 'boolean', default: false },
    },
  });
  return {
    cases: positionals,
    options: {
      quick: values.quick,
      programs: list(values.programs),
      connections: list(values.connections).map(Number),
      rounds: values.rounds === undefined ? null : Number(values.rounds),
      seconds: values.seconds === undefined ? null : Number(values.seconds),
      // A profiled sidecar is slower: its figures are not to be kept.
      save: !values['no-save'] && !values.profile,
      profile: values.profile,
    },
  };
}

import { existsSync, readFileSync } from 'node:fs';
import type { BenchResult } from './result.ts';

export interface BenchReport {
  readonly startedAt: string;
  readonly machine: { readonly cpu: string; readonly cores: number; readonly node: string };
  readonly results: readonly BenchResult[];
}

/** A change smaller than this is never called one, however little the rounds differ. */
const leastChange = 0.1;

/** Reports of a history file, oldest first; none without the file. */
export function readHistory(path: string): BenchReport[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as BenchReport);
}

const sameRow = (one: BenchResult, other: BenchResult): boolean =>
  (['case', 'program', 'connections', 'sizeBytes', 'ratePerSecond'] as const).every(
    (name) => one[name] === other[name],
  );

/**
 * What got worse since the last run on a machine like this one that has the same row: Meshdesk's rate as a ratio to nginx's
 * (machines differ from day to day, their ratios less), and its memory. By more than the spread of both runs, and nothing
 * about rates that were taken while the machine was busy.
 */
export function findRegressions(current: BenchReport, history: readonly BenchReport[]): string[] {
  const { cpu, cores, node } = current.machine;
  const earlier = history.filter(
    ({ machine }) => machine.cpu === cpu && machine.cores === cores && machine.node === node,
  );
  return current.results.flatMap((row) => {
    if (row.program !== 'meshdesk') return [];
    const before = earlier.flatMap(({ results }) => results.filter((other) => sameRow(row, other))).at(-1);
    if (before === undefined) return [];
    const at = [row.connections, row.sizeBytes, row.ratePerSecond].filter((value) => value !== undefined).join('/');
    const name = at === '' ? row.case : `${row.case} ${at}`;
    return [...rateRegression(name, row, before), ...memoryRegression(name, row, before)];
  });
}

/** Rates of such a row say more about the machine than about the program. */
export const isMostlyDisturbed = ({ disturbed = 0, rounds }: BenchResult): boolean => disturbed * 2 > rounds;

function rateRegression(name: string, row: BenchResult, before: BenchResult): string[] {
  if (row.ratioToNginx === undefined || before.ratioToNginx === undefined) return [];
  if (isMostlyDisturbed(row) || isMostlyDisturbed(before)) return [];
  const noise = (row.ratioSpread ?? 0) + (before.ratioSpread ?? 0);
  const lost = before.ratioToNginx - row.ratioToNginx;
  if (lost <= Math.max(noise * 2, before.ratioToNginx * leastChange)) return [];
  return [`${name}: ${row.ratioToNginx} of nginx's rate, ${before.ratioToNginx} before`];
}

function memoryRegression(name: string, row: BenchResult, before: BenchResult): string[] {
  if (row.rssMb === undefined || before.rssMb === undefined || row.rssMb <= before.rssMb * (1 + leastChange)) return [];
  return [`${name}: ${row.rssMb} MB, ${before.rssMb} MB before`];
}

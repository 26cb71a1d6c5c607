/** One line of the results file. Latencies are microseconds, times milliseconds, memory megabytes (10^6 bytes). */
export interface BenchResult {
  readonly case: string;
  readonly program: string;
  readonly rounds: number;
  readonly connections?: number;
  readonly ratePerSecond?: number;
  readonly requestsPerSecond?: number;
  readonly failures?: number;
  readonly p50Us?: number;
  readonly p99Us?: number;
  /** Ratio to the direct call of the same round, median of rounds. */
  readonly p50Ratio?: number;
  readonly p99Ratio?: number;
  readonly cpuPercent?: number;
  readonly rssMb?: number;
  readonly medianMs?: number;
  readonly maxMs?: number;
}

export interface BenchCase {
  readonly name: string;
  readonly needs: 'docker' | 'nothing';
  run(say: (line: string) => void): Promise<readonly BenchResult[]>;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low, high] = [sorted[sorted.length % 2 === 0 ? middle - 1 : middle], sorted[middle]];
  return ((low ?? Number.NaN) + (high ?? Number.NaN)) / 2;
}

export const max = (values: readonly number[]): number =>
  values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
export const toMb = (bytes: number): number => Math.round(bytes / 100_000) / 10;

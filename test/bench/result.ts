/** One line of the results file. Latencies are microseconds, times milliseconds, memory megabytes (10^6 bytes). */
export interface BenchResult {
  readonly case: string;
  readonly program: string;
  readonly rounds: number;
  readonly connections?: number;
  readonly sizeBytes?: number;
  readonly ratePerSecond?: number;
  readonly requestsPerSecond?: number;
  readonly failures?: number;
  readonly firstFailure?: string;
  readonly p50Us?: number;
  readonly p99Us?: number;
  readonly p999Us?: number;
  readonly cpuUsPerRequest?: number;
  /** Rate to nginx's of the same round, median of rounds; its spread is half the distance between the quartiles. */
  readonly ratioToNginx?: number;
  readonly ratioSpread?: number;
  /** nginx's CPU time per request to its own, median of rounds: steadier than rates when the machine is shared. */
  readonly cpuRatioToNginx?: number;
  /** Rate to that of the same program without the feature. */
  readonly ratioToPlain?: number;
  /** What the latency has more than that of the direct call of the same round, median of rounds; and that to what nginx adds. */
  readonly addedP50Us?: number;
  readonly addedP99Us?: number;
  readonly addedP999Us?: number;
  readonly addedP50ToNginx?: number;
  readonly addedP99ToNginx?: number;
  /** Rounds in which other processes took more of the machine than a fair comparison allows. */
  readonly disturbed?: number;
  /** Ratio to the direct call of the same round, median of rounds. */
  readonly p50Ratio?: number;
  readonly p99Ratio?: number;
  readonly cpuPercent?: number;
  readonly rssMb?: number;
  readonly medianMs?: number;
  readonly maxMs?: number;
}

export interface BenchOptions {
  readonly quick: boolean;
  /** Empty: what the case does by itself. */
  readonly programs: readonly string[];
  readonly connections: readonly number[];
  readonly rounds: number | null;
  readonly seconds: number | null;
  /** False: latest.json and the history stay as they are. */
  readonly save: boolean;
  /** Sidecars write CPU profiles, whose summaries are printed. */
  readonly profile: boolean;
}

export interface BenchCase {
  readonly name: string;
  readonly needs: 'docker' | 'linux' | 'nothing';
  run(say: (line: string) => void, options: BenchOptions): Promise<readonly BenchResult[]>;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Linear between neighbours; NaN without values. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  const high = sorted[Math.ceil(at)] ?? Number.NaN;
  return low + (high - low) * (at - Math.floor(at));
}

export const max = (values: readonly number[]): number =>
  values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
export const toMb = (bytes: number): number => Math.round(bytes / 100_000) / 10;
export const round = (value: number, digits = 0): number => Math.round(value * 10 ** digits) / 10 ** digits;

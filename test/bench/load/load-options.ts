/** One measurement of the load generator, as the bench asks for it, and what comes back. */
export interface LoadOptions {
  /**
   * `closed`: the next request leaves when an answer is in; `open`: at a constant rate whatever the answers do; `churn`: a new
   * connection for every request; `idle`: one request each, then nothing.
   */
  readonly kind: 'closed' | 'open' | 'churn' | 'idle';
  readonly port: number;
  readonly connections: number;
  readonly sizeBytes: number;
  readonly warmUpMs: number;
  readonly durationMs: number;
  /** `open` only. */
  readonly ratePerSecond?: number;
  /** Header lines to add to each request, each with its CRLF. */
  readonly headers?: string;
}

/** Latencies in microseconds; `open`: from the moment a request was due. */
export interface LoadResult {
  readonly requests: number;
  readonly failures: number;
  readonly firstFailure: string | null;
  /** Length of the measured part. */
  readonly seconds: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  /** `open`: by how much requests left late because the generator was not woken in time. */
  readonly lateP50Us?: number;
  readonly lateP99Us?: number;
}

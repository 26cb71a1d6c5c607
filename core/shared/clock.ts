/**
 * Time as an argument. Nothing in `policy/` and `snapshot/` reads a clock by itself, so every decision can be replayed.
 */
export interface Clock {
  /** Wall clock, milliseconds since the Unix epoch. May jump. */
  nowMs(): number;
  /** Monotonic milliseconds from an arbitrary origin; for measuring durations and deadlines. */
  monotonicMs(): number;
}

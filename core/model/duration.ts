import { z } from 'zod';

const unitMs: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1_000,
  ms: 1,
  us: 0.001,
  µs: 0.001,
  ns: 0.000_001,
};

/**
 * Milliseconds of a duration as Istio writes it (Go's form: `400ms`, `1.5s`, `1h30m`); `null` when it is not one.
 * Negative durations are not durations here.
 */
export function parseDuration(text: string): number | null {
  if (text === '0') return 0;
  const part = /(\d+(?:\.\d*)?|\.\d+)(h|ms|m|s|us|µs|ns)/y;
  let totalMs = 0;
  while (part.lastIndex < text.length) {
    const at = part.exec(text);
    const unit = unitMs[at?.[2] ?? ''];
    if (at === null || unit === undefined) return null;
    totalMs += Number(at[1]) * unit;
  }
  return text.length === 0 ? null : Math.round(totalMs * 1_000_000) / 1_000_000;
}

/** Milliseconds as Istio reads them: `400ms` below a second, seconds (`1.5s`) from there on. Not negative. */
export function formatDuration(durationMs: number): string {
  if (durationMs !== 0 && durationMs < 1_000) return `${durationMs}ms`;
  return `${durationMs / 1_000}s`;
}

export const Duration = z
  .string()
  .refine((text) => parseDuration(text) !== null, { error: 'is not a duration; write it like 400ms, 1.5s or 1h' });

/** At least 1 ms, Istio's lower bound for delays. */
export const PositiveDuration = Duration.refine((text) => (parseDuration(text) ?? 1) >= 1, {
  error: 'must be at least 1ms',
});

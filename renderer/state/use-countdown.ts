import { useEffect, useState } from 'react';

/** Milliseconds that are left of `leftMs`, which was true at `atMs` (monotonic); counts by itself between events. */
export function useCountdown(leftMs: number | null, atMs: number): number | null {
  const [nowMs, setNowMs] = useState(() => performance.now());
  const runs = leftMs !== null;
  useEffect(() => {
    if (!runs) return undefined;
    const timer = setInterval(() => setNowMs(performance.now()), 500);
    return () => clearInterval(timer);
  }, [runs]);
  return leftMs === null ? null : Math.max(0, leftMs - Math.max(0, nowMs - atMs));
}

import type { ToxicTimers } from './toxic-link.ts';

/** Real time. Never early; a pause below a millisecond becomes one. They do not keep a process alive. */
export const realTimers: ToxicTimers = {
  nowMs: () => performance.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, Math.ceil(ms));
    timer.unref();
    return () => clearTimeout(timer);
  },
};

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { notSet, TimerWheel, type WheelEntry } from '../../../core/data-plane/http/timer-wheel.ts';
import { createSeededRandom } from '../../../core/shared/random.ts';

interface Entry extends WheelEntry {
  firedAtMs: number[];
}

let nowMs = 0;
let wheel: TimerWheel;

function entry(onTimeout?: () => void): Entry {
  const made: Entry = {
    next: null,
    previous: null,
    dueAtMs: notSet,
    firedAtMs: [],
    onTimeout: () => {
      made.firedAtMs.push(nowMs);
      onTimeout?.();
    },
  };
  return made;
}

/** Lets time go on in steps of a millisecond, as the event loop would at best. */
function pass(ms: number): void {
  for (let step = 0; step < ms; step += 1) {
    nowMs += 1;
    vi.advanceTimersByTime(1);
  }
}

beforeEach(() => {
  vi.useFakeTimers();
  nowMs = 1_000_003;
  wheel = new TimerWheel(() => nowMs);
});
afterEach(() => {
  wheel.close();
  vi.useRealTimers();
});

describe('a timer wheel', () => {
  test('fires each once, not before its time and at most two ticks after it', () => {
    const random = createSeededRandom(3);
    const timers = Array.from({ length: 500 }, () => {
      const delayMs = Math.floor(random() * 12_000);
      const one = entry();
      const setAtMs = nowMs;
      wheel.add(one, delayMs);
      if (random() < 0.5) pass(Math.floor(random() * 20));
      return { one, dueAtMs: setAtMs + delayMs };
    });
    pass(13_000);
    expect(timers.filter(({ one }) => one.firedAtMs.length !== 1)).toEqual([]);
    const late = timers.map(({ one, dueAtMs }) => (one.firedAtMs[0] ?? 0) - dueAtMs);
    expect(Math.min(...late)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...late)).toBeLessThanOrEqual(10);
  });

  test('never fires what was taken off, in whatever order, and takes it again', () => {
    const [first, second, third] = [entry(), entry(), entry()];
    for (const one of [first, second, third]) wheel.add(one, 50);
    wheel.remove(second);
    wheel.remove(second);
    wheel.remove(first);
    pass(100);
    expect([first, second, third].map(({ firedAtMs }) => firedAtMs.length)).toEqual([0, 0, 1]);
    wheel.remove(third);
    wheel.add(second, 20);
    pass(40);
    expect(second.firedAtMs).toHaveLength(1);
  });

  test('lets those who are called add and remove others of the same slot', () => {
    const second = entry();
    const third = entry();
    const first = entry(() => {
      wheel.remove(second);
      wheel.add(third, 0);
    });
    wheel.add(second, 20);
    wheel.add(first, 20);
    pass(60);
    expect([first, second, third].map(({ firedAtMs }) => firedAtMs.length)).toEqual([1, 0, 1]);
  });

  test('looks at everything after a pause of the whole process', () => {
    const timers = [10, 4_000, 9_000, 70_000].map((delayMs) => {
      const one = entry();
      wheel.add(one, delayMs);
      return one;
    });
    nowMs += 60_000;
    vi.advanceTimersByTime(5);
    expect(timers.map(({ firedAtMs }) => firedAtMs.length)).toEqual([1, 1, 1, 0]);
    pass(10_010);
    expect(timers[3]?.firedAtMs).toHaveLength(1);
  });

  test('keeps a timer of its own only while something is on it', () => {
    expect(vi.getTimerCount()).toBe(0);
    const one = entry();
    wheel.add(one, 20);
    expect(vi.getTimerCount()).toBe(1);
    wheel.remove(one);
    pass(10);
    expect(vi.getTimerCount()).toBe(0);
  });
});

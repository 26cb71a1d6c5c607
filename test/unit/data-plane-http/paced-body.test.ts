import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PacedBody } from '../../../core/data-plane/http/paced-body.ts';
import { heldBytes } from '../../../core/data-plane/wire/held-bytes.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

function start(bytesPerSecond: number) {
  const seen = { sent: 0, drained: 0, done: 0, takes: true, holds: true };
  const body = new PacedBody({
    bytesPerSecond,
    monotonicMs: () => performance.now(),
    holds: () => seen.holds,
    send: (bytes) => {
      seen.sent += bytes.length;
      return seen.takes;
    },
    drained: () => {
      seen.drained += 1;
    },
    done: () => {
      seen.done += 1;
    },
  });
  return { seen, body };
}
const bytes = (size: number) => Buffer.alloc(size, 'a');

describe('a paced body', () => {
  it('leaves at its rate, and ends when all of it has left', () => {
    const { seen, body } = start(1_000);
    body.push(bytes(500), 0, 500);
    body.end();
    const sent = [0, 100, 100, 200, 200].map((ms) => {
      vi.advanceTimersByTime(ms);
      return seen.sent;
    });
    expect(sent).toEqual([50, 150, 250, 450, 500]);
    expect(seen.done).toBe(1);
  });

  it('makes up for timers that come late', () => {
    const { seen, body } = start(1_000);
    body.push(bytes(1_000), 0, 1_000);
    vi.advanceTimersByTime(500);
    expect(seen.sent).toBe(550);
  });

  it('sends single octets below one per step', () => {
    const { seen, body } = start(2);
    body.push(bytes(4), 0, 4);
    body.end();
    vi.advanceTimersByTime(1_000);
    expect(seen.sent).toBeGreaterThanOrEqual(2);
    expect(seen.sent).toBeLessThan(4);
    vi.advanceTimersByTime(2_000);
    expect([seen.sent, seen.done]).toEqual([4, 1]);
  });

  it('lets whoever hands bytes in wait, and counts what it holds', () => {
    const before = heldBytes();
    const { seen, body } = start(10_000);
    expect(body.push(bytes(40_000), 0, 40_000)).toBe(true);
    expect(body.push(bytes(40_000), 0, 40_000)).toBe(false);
    expect(heldBytes() - before).toBe(80_000 - seen.sent);
    vi.advanceTimersByTime(6_000);
    expect(seen.drained).toBe(1);
    body.close();
    expect(heldBytes()).toBe(before);
  });

  it('waits for the client', () => {
    const { seen, body } = start(1_000);
    seen.takes = false;
    body.push(bytes(200), 0, 200);
    body.end();
    vi.advanceTimersByTime(5_000);
    expect([seen.sent, seen.done]).toEqual([50, 0]);
    seen.takes = true;
    body.resume();
    vi.advanceTimersByTime(1_000);
    expect([seen.sent, seen.done]).toEqual([200, 1]);
  });

  it('leaves at once when it is not held any more', () => {
    const { seen, body } = start(10);
    body.push(bytes(10_000), 0, 10_000);
    body.end();
    seen.holds = false;
    vi.advanceTimersByTime(1_000);
    expect([seen.sent, seen.done]).toEqual([10_000, 1]);
  });
});

/** Each toxic against what toxiproxy documents and does (toxics/*.go of v2.5.0), in virtual time. */
import { describe, expect, it } from 'vitest';
import { createBandwidth } from '../../../core/data-plane/toxics/bandwidth.ts';
import { createBlackHole } from '../../../core/data-plane/toxics/black-hole.ts';
import { createLatency } from '../../../core/data-plane/toxics/latency.ts';
import { createLimitData } from '../../../core/data-plane/toxics/limit-data.ts';
import { createResetPeer } from '../../../core/data-plane/toxics/reset-peer.ts';
import { createSlicer, cutPoints } from '../../../core/data-plane/toxics/slicer.ts';
import { createSlowClose } from '../../../core/data-plane/toxics/slow-close.ts';
import { createSeededRandom } from '../../../core/shared/random.ts';
import { planned, ToxicBench } from '../../support/toxic-bench.ts';

describe('latency', () => {
  it('delays each chunk by its own arrival, so that throughput is kept', () => {
    const bench = new ToxicBench(planned(() => createLatency(100, 0)));
    bench.push('a');
    bench.timers.advance(30);
    bench.push('b');
    bench.timers.advance(200);
    expect(bench.arrivals).toEqual([
      { atMs: 100, text: 'a' },
      { atMs: 130, text: 'b' },
    ]);
  });

  it('draws between latency - jitter and latency + jitter, and keeps the order', () => {
    const bench = new ToxicBench(planned(() => createLatency(100, 50), 7));
    const delays: number[] = [];
    for (let index = 0; index < 200; index += 1) {
      const sentAtMs = bench.timers.nowMs();
      bench.push(`${index},`);
      bench.timers.advance(200);
      delays.push((bench.arrivals.at(-1)?.atMs ?? -1) - sentAtMs);
    }
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(50);
    expect(Math.max(...delays)).toBeLessThan(150);
    expect(Math.max(...delays) - Math.min(...delays)).toBeGreaterThan(80);
    expect(bench.text).toBe(Array.from({ length: 200 }, (_, index) => `${index},`).join(''));
  });

  it('passes the end on after what came before it', () => {
    const bench = new ToxicBench(planned(() => createLatency(100, 0)));
    bench.push('a');
    bench.pipe.finish('end');
    bench.timers.advance(99);
    expect(bench.ending).toBeNull();
    bench.timers.advance(1);
    expect([bench.text, bench.ending, bench.endedAtMs]).toEqual(['a', 'end', 100]);
  });

  it('holds the sender up after 1,024 chunks', () => {
    const bench = new ToxicBench(planned(() => createLatency(100, 0)));
    let taken = 0;
    while (bench.push('x')) taken += 1;
    // One is being delayed, the others wait.
    expect(taken).toBe(1_024);
    bench.timers.advance(100);
    expect([bench.text.length, bench.rooms]).toEqual([1_025, 1]);
  });
});

describe('bandwidth', () => {
  it('takes size / rate for a chunk', () => {
    const bench = new ToxicBench(planned(() => createBandwidth(100_000)));
    bench.push('x'.repeat(5_000));
    bench.timers.advance(49);
    expect(bench.arrivals).toHaveLength(0);
    bench.timers.advance(1);
    expect(bench.text).toHaveLength(5_000);
  });

  it('cuts what takes more than 100 ms, and sends a piece every 100 ms', () => {
    const bench = new ToxicBench(planned(() => createBandwidth(10_000)));
    bench.push('x'.repeat(2_500));
    bench.timers.advance(1_000);
    expect(bench.arrivals.map(({ atMs, text }) => [atMs, text.length])).toEqual([
      [100, 1_000],
      [200, 1_000],
      [250, 500],
    ]);
  });

  it('keeps the rate over many chunks, and holds the sender up meanwhile', () => {
    const bench = new ToxicBench(planned(() => createBandwidth(1_000_000)));
    expect(bench.push('x'.repeat(96 * 1_024))).toBe(false);
    bench.timers.advance(98);
    expect(bench.text.length).toBeLessThan(96 * 1_024);
    bench.timers.advance(1);
    expect([bench.text.length, bench.rooms]).toEqual([96 * 1_024, 1]);
  });

  it('lets nothing pass at a rate of 0', () => {
    const bench = new ToxicBench(planned(() => createBandwidth(0)));
    bench.push('x');
    bench.timers.advance(60_000);
    expect([bench.text, bench.ending]).toEqual(['', null]);
  });
});

describe('slow_close', () => {
  it('delays the end, not the data', () => {
    const bench = new ToxicBench(planned(() => createSlowClose(500)));
    bench.push('a');
    bench.pipe.finish('end');
    expect([bench.text, bench.ending]).toEqual(['a', null]);
    bench.timers.advance(499);
    expect(bench.ending).toBeNull();
    bench.timers.advance(1);
    expect(bench.ending).toBe('end');
  });
});

describe('timeout', () => {
  it('drops data and closes the connection the given time after the last', () => {
    const bench = new ToxicBench(planned(() => createBlackHole(1_000)));
    bench.timers.advance(600);
    bench.push('a');
    bench.timers.advance(999);
    expect(bench.ending).toBeNull();
    bench.timers.advance(1);
    expect([bench.text, bench.ending, bench.endedAtMs]).toEqual(['', 'close', 1_600]);
  });

  it('closes a connection on which nothing is sent', () => {
    const bench = new ToxicBench(planned(() => createBlackHole(1_000)));
    bench.timers.advance(1_000);
    expect([bench.ending, bench.endedAtMs]).toEqual(['close', 1_000]);
  });

  it('never closes at 0, and closes when it is taken away', () => {
    const bench = new ToxicBench(planned(() => createBlackHole(0)));
    bench.push('a');
    bench.timers.advance(3_600_000);
    expect(bench.ending).toBeNull();
    bench.pipe.setToxics([]);
    expect([bench.text, bench.ending]).toEqual(['', 'close']);
  });

  it('passes the end of the sender on', () => {
    const bench = new ToxicBench(planned(() => createBlackHole(0)));
    bench.push('a');
    bench.pipe.finish('end');
    expect([bench.text, bench.ending]).toEqual(['', 'end']);
  });
});

describe('reset_peer', () => {
  it('waits for the first data, then for its time, then resets', () => {
    const bench = new ToxicBench(planned(() => createResetPeer(200)));
    bench.timers.advance(5_000);
    expect(bench.ending).toBeNull();
    bench.push('a');
    bench.timers.advance(199);
    expect(bench.ending).toBeNull();
    bench.timers.advance(1);
    expect([bench.text, bench.ending]).toEqual(['', 'reset']);
  });

  it('resets at once without a time, and on the end of the sender', () => {
    const bench = new ToxicBench(planned(() => createResetPeer(0)));
    bench.pipe.finish('end');
    expect(bench.ending).toBe('reset');
  });
});

describe('slicer', () => {
  it('cuts into pieces of about the average size, with a pause after each', () => {
    const bench = new ToxicBench(planned(() => createSlicer(10, 0, 5)));
    bench.push('x'.repeat(40));
    bench.timers.advance(100);
    expect(bench.arrivals.map(({ atMs, text }) => [atMs, text.length])).toEqual([
      [0, 10],
      [5, 10],
      [10, 10],
      [15, 10],
    ]);
  });

  it.each([
    [1_000, 64, 16],
    [999, 1, 0],
    [5, 5, 0],
    [100, 10, 50],
    [3, 1, 8],
  ])('covers %i bytes without a gap in pieces of at most average %i + variation %i', (size, average, variation) => {
    for (let seed = 1; seed < 50; seed += 1) {
      const ends = cutPoints(0, size, average, variation, createSeededRandom(seed));
      const sizes = ends.map((end, index) => end - (ends[index - 1] ?? 0));
      expect(ends.at(-1)).toBe(size);
      expect(Math.min(...sizes)).toBeGreaterThan(0);
      expect(Math.max(...sizes)).toBeLessThanOrEqual(average + variation);
    }
  });
});

describe('limit_data', () => {
  it('lets so many bytes of the connection pass, then closes it', () => {
    const bench = new ToxicBench(planned(() => createLimitData(10)));
    bench.push('0123');
    bench.push('4567');
    expect(bench.ending).toBeNull();
    bench.push('89ab');
    expect([bench.text, bench.ending]).toEqual(['0123456789', 'close']);
  });

  it('closes with the first byte that is one too many at 0', () => {
    const bench = new ToxicBench(planned(() => createLimitData(0)));
    expect(bench.ending).toBeNull();
    bench.push('a');
    expect([bench.text, bench.ending]).toEqual(['', 'close']);
  });

  it('goes on counting when other toxics come and go', () => {
    const limit = planned(() => createLimitData(10));
    const bench = new ToxicBench(limit);
    bench.push('01234567');
    bench.pipe.setToxics([limit, planned(() => createLatency(5, 0))]);
    bench.push('89ab');
    bench.pipe.setToxics([limit]);
    expect([bench.text, bench.ending]).toEqual(['0123456789', 'close']);
  });
});

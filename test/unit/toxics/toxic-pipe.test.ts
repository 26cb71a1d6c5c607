import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createBandwidth } from '../../../core/data-plane/toxics/bandwidth.ts';
import { createBlackHole } from '../../../core/data-plane/toxics/black-hole.ts';
import { createLatency } from '../../../core/data-plane/toxics/latency.ts';
import { createResetPeer } from '../../../core/data-plane/toxics/reset-peer.ts';
import { createSlicer } from '../../../core/data-plane/toxics/slicer.ts';
import { createSlowClose } from '../../../core/data-plane/toxics/slow-close.ts';
import { heldBytes } from '../../../core/data-plane/wire/held-bytes.ts';
import { planned, ToxicBench } from '../../support/toxic-bench.ts';

const harmless = {
  latency: () => planned(() => createLatency(40, 20)),
  bandwidth: () => planned(() => createBandwidth(200_000)),
  slicer: () => planned(() => createSlicer(16, 4, 0.5)),
  slowClose: () => planned(() => createSlowClose(30)),
};

describe('ToxicPipe', () => {
  it('hands on at once what comes without toxics', () => {
    const bench = new ToxicBench();
    expect(bench.push('abc')).toBe(true);
    bench.pipe.finish('end');
    expect([bench.text, bench.ending, bench.endedAtMs]).toEqual(['abc', 'end', 0]);
  });

  it('composes toxics in the order listed: pieces are delayed after they were cut', () => {
    const bench = new ToxicBench(
      planned(() => createBandwidth(10_000)),
      planned(() => createLatency(1_000, 0)),
    );
    bench.push('x'.repeat(1_500));
    bench.timers.advance(2_000);
    expect(bench.arrivals.map(({ atMs, text }) => [atMs, text.length])).toEqual([
      // Latency counts from when the data arrived: what the toxic before waited is part of it.
      [1_000, 1_000],
      [1_000, 500],
    ]);
  });

  it('delays the close of a toxic by a slow close that follows it', () => {
    const bench = new ToxicBench(
      planned(() => createBlackHole(100)),
      planned(() => createSlowClose(50)),
    );
    bench.timers.advance(1_000);
    expect([bench.ending, bench.endedAtMs]).toEqual(['close', 150]);
  });

  it('takes a toxic that is added on to a connection that is open', () => {
    const bench = new ToxicBench();
    bench.push('a');
    bench.pipe.setToxics([planned(() => createLatency(100, 0))]);
    bench.push('b');
    expect(bench.text).toBe('a');
    bench.timers.advance(100);
    expect(bench.text).toBe('ab');
  });

  it('lets everything go at once, in order, when a toxic is taken away', () => {
    const bench = new ToxicBench(harmless.latency(), harmless.bandwidth());
    bench.push('a'.repeat(40_000));
    bench.push('b');
    bench.timers.advance(1);
    bench.pipe.setToxics([]);
    expect([bench.text, bench.pipe.isIdle, bench.timers.pending]).toEqual([`${'a'.repeat(40_000)}b`, true, 0]);
  });

  it('does not forget an end that waited behind a toxic that is taken away', () => {
    const bench = new ToxicBench(
      harmless.latency(),
      planned(() => createSlowClose(1_000)),
    );
    bench.push('a');
    bench.pipe.finish('end');
    bench.timers.advance(100);
    expect([bench.text, bench.ending]).toEqual(['a', null]);
    bench.pipe.setToxics([]);
    expect(bench.ending).toBe('end');
  });

  it('resets when a reset is taken away after data was dropped, and not before', () => {
    const early = new ToxicBench(planned(() => createResetPeer(1_000)));
    early.pipe.setToxics([]);
    early.push('a');
    expect([early.text, early.ending]).toEqual(['a', null]);
    const late = new ToxicBench(planned(() => createResetPeer(1_000)));
    late.push('a');
    late.pipe.setToxics([]);
    expect([late.text, late.ending]).toEqual(['', 'reset']);
  });

  it('holds the sender up while the receiver takes nothing, and goes on when it does', () => {
    const bench = new ToxicBench(planned(() => createSlicer(10, 0, 0)));
    bench.takes = false;
    expect(bench.push('x'.repeat(40))).toBe(true);
    expect(bench.push('y'.repeat(40))).toBe(false);
    expect(bench.text).toHaveLength(10);
    bench.takes = true;
    bench.pipe.resume();
    expect([bench.text, bench.rooms]).toEqual([`${'x'.repeat(40)}${'y'.repeat(40)}`, 1]);
  });

  it('keeps the bytes of the receiver that takes nothing when toxics are taken away', () => {
    const bench = new ToxicBench(harmless.latency());
    bench.pipe.hold();
    bench.push('abc');
    bench.pipe.setToxics([]);
    bench.pipe.finish('end');
    expect([bench.text, bench.ending, bench.pipe.bufferedBytes]).toEqual(['', null, 3]);
    bench.pipe.resume();
    expect([bench.text, bench.ending, bench.pipe.bufferedBytes]).toEqual(['abc', 'end', 0]);
  });

  it('leaves no timer behind when the connection goes', () => {
    const bench = new ToxicBench(harmless.latency(), harmless.bandwidth());
    bench.push('abc');
    bench.pipe.discard();
    bench.timers.advance(1_000);
    expect([bench.timers.pending, bench.text, bench.ending]).toEqual([0, '', null]);
  });

  it('loses nothing that a toxic has room for while the one behind it is taken away', () => {
    const bench = new ToxicBench();
    const [latency, bandwidth] = [harmless.latency(), harmless.bandwidth()];
    const [slicer, slowClose] = [harmless.slicer(), harmless.slowClose()];
    bench.pipe.setToxics([latency]);
    bench.push('0123456789012345678901');
    bench.pipe.setToxics([latency, bandwidth]);
    bench.push('2');
    bench.pipe.setToxics([bandwidth, slicer, slowClose]);
    bench.push('3');
    bench.timers.advance(1);
    bench.pipe.setToxics([slowClose]);
    bench.pipe.finish('end');
    bench.timers.advance(1_000);
    expect(bench.text).toBe('012345678901234567890123');
  });

  it('loses no byte and keeps the order, whatever comes and goes meanwhile', () => {
    const names = Object.keys(harmless) as (keyof typeof harmless)[];
    const action = fc.oneof(
      fc.record({ push: fc.integer({ min: 1, max: 5_000 }) }),
      fc.record({ pass: fc.integer({ min: 1, max: 80 }) }),
      fc.record({ under: fc.uniqueArray(fc.constantFrom(...names), { maxLength: 4 }) }),
      fc.record({ takes: fc.boolean() }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const bench = new ToxicBench();
        const known = new Map(names.map((name) => [name, harmless[name]()]));
        let sent = '';
        for (const step of actions) {
          if ('push' in step) {
            const text = Array.from({ length: step.push }, (_, index) => (sent.length + index) % 10).join('');
            sent += text;
            bench.push(text);
          } else if ('pass' in step) bench.timers.advance(step.pass);
          else if ('under' in step) bench.pipe.setToxics(step.under.flatMap((name) => known.get(name) ?? []));
          else {
            bench.takes = step.takes;
            if (step.takes) bench.pipe.resume();
          }
        }
        bench.takes = true;
        bench.pipe.resume();
        bench.pipe.finish('end');
        bench.timers.advance(10_000_000);
        expect(bench.text).toBe(sent);
        expect(bench.ending).toBe('end');
        expect(bench.timers.pending).toBe(0);
      }),
      { numRuns: 300 },
    );
  });
});

describe('memory', () => {
  it('says what waits, and that nothing does when the connection is gone', () => {
    const before = heldBytes();
    const bench = new ToxicBench(harmless.latency(), harmless.bandwidth());
    for (let index = 0; index < 20; index += 1) bench.push('x'.repeat(1_000));
    expect(heldBytes() - before).toBe(bench.pipe.bufferedBytes);
    expect(bench.pipe.bufferedBytes).toBeGreaterThan(15_000);
    bench.pipe.hold();
    bench.pipe.setToxics([]);
    expect(heldBytes() - before).toBe(20_000);
    bench.pipe.discard();
    expect(heldBytes() - before).toBe(0);
  });

  it('holds the sender up at 4 MiB', () => {
    const bench = new ToxicBench(planned(() => createLatency(1_000, 0)));
    let pushed = 0;
    while (bench.push('x'.repeat(32 * 1_024))) pushed += 1;
    expect(pushed).toBe(128);
    bench.pipe.discard();
  });
});

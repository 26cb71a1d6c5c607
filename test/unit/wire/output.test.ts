import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createDispatchClock } from '../../../core/data-plane/wire/dispatch-clock.ts';
import {
  beginDispatch,
  commitOutput,
  currentSlab,
  dropOutputOf,
  endDispatch,
  flushOutputOf,
  giveBack,
  type OutputWire,
  pendingOutputOf,
  reserveOutput,
} from '../../../core/data-plane/wire/output.ts';
import { maxReserveBytes } from '../../../core/data-plane/wire/wire.ts';

class MemoryWire implements OutputWire {
  readonly writes: string[] = [];
  readonly pinned: Buffer[] = [];
  /** As if the kernel could not take it at once. */
  pins = false;

  takeOutput(slab: Buffer, start: number, end: number): boolean {
    this.writes.push(slab.toString('latin1', start, end));
    if (this.pins) this.pinned.push(slab);
    return this.pins;
  }
}

function say(wire: OutputWire, text: string): void {
  const at = reserveOutput(wire, text.length);
  commitOutput(at + currentSlab().write(text, at, 'latin1'));
}

let wire: MemoryWire;
let other: MemoryWire;
beforeEach(() => {
  wire = new MemoryWire();
  other = new MemoryWire();
});
afterEach(() => endDispatch());

describe('what is composed', () => {
  test('leaves at once outside a dispatch', () => {
    say(wire, 'a');
    say(wire, 'b');
    expect(wire.writes).toEqual(['a', 'b']);
  });

  test('leaves with one write at the end of a dispatch', () => {
    beginDispatch();
    say(wire, 'a');
    say(wire, 'b');
    expect(wire.writes).toEqual([]);
    expect(pendingOutputOf(wire)).toBe(2);
    endDispatch();
    expect(wire.writes).toEqual(['ab']);
    expect(pendingOutputOf(wire)).toBe(0);
  });

  test('leaves when another wire is composed to', () => {
    beginDispatch();
    say(wire, 'a');
    say(other, 'b');
    say(wire, 'c');
    expect([wire.writes, other.writes]).toEqual([['a'], ['b']]);
    endDispatch();
    expect(wire.writes).toEqual(['a', 'c']);
  });

  test('leaves when the slab is full', () => {
    beginDispatch();
    const text = 'x'.repeat(maxReserveBytes);
    say(wire, text);
    say(wire, text);
    expect(wire.writes).toEqual([text]);
    endDispatch();
    expect(wire.writes).toEqual([text, text]);
  });

  test('leaves when it is asked to, or not at all', () => {
    beginDispatch();
    say(wire, 'a');
    flushOutputOf(other);
    expect(wire.writes).toEqual([]);
    flushOutputOf(wire);
    expect(wire.writes).toEqual(['a']);
    say(wire, 'b');
    dropOutputOf(other);
    expect(pendingOutputOf(wire)).toBe(1);
    dropOutputOf(wire);
    endDispatch();
    expect(wire.writes).toEqual(['a']);
  });

  test('is not overwritten while a write is under way, and its memory comes back', () => {
    wire.pins = true;
    say(wire, 'first');
    const [slab] = wire.pinned;
    expect(slab).toBeDefined();
    expect(currentSlab()).not.toBe(slab);
    say(other, 'other');
    expect(slab?.toString('latin1', 0, 5)).toBe('first');
    if (slab !== undefined) giveBack(slab);
    wire.pins = false;
    other.pins = true;
    say(other, 'again');
    expect(currentSlab()).toBe(slab);
  });

  test('reserving more than may be is an error', () => {
    expect(() => reserveOutput(wire, maxReserveBytes + 1)).toThrow(RangeError);
  });

  test('reserving without composing sends nothing', () => {
    beginDispatch();
    reserveOutput(wire, 10);
    endDispatch();
    expect(wire.writes).toEqual([]);
  });
});

describe('the clock of dispatches', () => {
  test('is read once in a dispatch, and whenever it is asked outside of one', () => {
    let reads = 0;
    const clock = createDispatchClock({ nowMs: () => -1, monotonicMs: () => (reads += 1) });
    expect([clock.monotonicMs(), clock.monotonicMs()]).toEqual([1, 2]);
    beginDispatch();
    expect([clock.monotonicMs(), clock.monotonicMs()]).toEqual([3, 3]);
    endDispatch();
    beginDispatch();
    expect([clock.monotonicMs(), clock.monotonicMs()]).toEqual([4, 4]);
    endDispatch();
    expect(clock.monotonicMs()).toBe(5);
    expect(clock.nowMs()).toBe(-1);
  });
});

import { maxReserveBytes } from './wire.ts';

/**
 * Where every wire composes what it sends: one slab for the whole process, as only one wire is composed to at a time. What
 * is in it leaves with one write: when the dispatch ends, when another wire is composed to, or when the slab is full.
 * Outside a dispatch it leaves at once.
 */
export interface OutputWire {
  /** Sends `slab[start, end)`. True: the memory is in use until `giveBack(slab)`; false: it was written or copied. */
  takeOutput(slab: Buffer, start: number, end: number): boolean;
}

const slabBytes = 128 * 1024;
const maxSpareSlabs = 8;
const spare: Buffer[] = [];

let slab: Buffer = Buffer.allocUnsafeSlow(slabBytes);
let holder: OutputWire | null = null;
let from = 0;
let to = 0;
let dispatching = false;
let dispatches = 0;

export function currentSlab(): Buffer {
  return slab;
}

/** Index in `currentSlab()` from which `size` bytes are free, behind what `wire` has there already. */
export function reserveOutput(wire: OutputWire, size: number): number {
  if (size > maxReserveBytes) throw new RangeError(`at most ${maxReserveBytes} bytes can be reserved, not ${size}`);
  if (holder !== wire || to + size > slabBytes) {
    flushOutput();
    holder = wire;
  }
  return to;
}

/** `end`: index after the last byte composed since `reserveOutput`. */
export function commitOutput(end: number): void {
  to = end;
  if (!dispatching) flushOutput();
}

export function flushOutput(): void {
  const wire = holder;
  const start = from;
  const end = to;
  holder = null;
  from = 0;
  to = 0;
  if (wire === null || end === start) return;
  if (wire.takeOutput(slab, start, end)) slab = spare.pop() ?? Buffer.allocUnsafeSlow(slabBytes);
}

/** Sends what `wire` has in the slab, if anything. */
export function flushOutputOf(wire: OutputWire): void {
  if (holder === wire) flushOutput();
}

/** Forgets what `wire` has in the slab: its connection is gone. */
export function dropOutputOf(wire: OutputWire): void {
  if (holder !== wire) return;
  holder = null;
  from = 0;
  to = 0;
}

/** Bytes of `wire` in the slab. */
export function pendingOutputOf(wire: OutputWire): number {
  return holder === wire ? to - from : 0;
}

/** Any buffer that a write was made from; only slabs are kept. */
export function giveBack(used: Buffer): void {
  if (used.length === slabBytes && spare.length < maxSpareSlabs) spare.push(used);
}

export function beginDispatch(): void {
  dispatching = true;
  dispatches += 1;
}

/** Tells dispatches apart; 0 outside of them. */
export function dispatchNumber(): number {
  return dispatching ? dispatches : 0;
}

/** Something to do once, at the end of a dispatch; what it sends leaves with the rest. */
export interface DispatchTask {
  afterDispatch(): void;
}

const tasks: DispatchTask[] = [];

/** False outside a dispatch: nothing was noted. */
export function afterDispatch(task: DispatchTask): boolean {
  if (dispatching) tasks.push(task);
  return dispatching;
}

export function endDispatch(): void {
  for (let task = tasks.pop(); task !== undefined; task = tasks.pop()) task.afterDispatch();
  dispatching = false;
  if (holder !== null) flushOutput();
}

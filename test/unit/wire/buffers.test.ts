import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { copyBytes } from '../../../core/data-plane/wire/copy-bytes.ts';
import {
  beginDirect,
  endDirect,
  giveReadBuffer,
  isDirect,
  pinDirect,
  takeReadBuffer,
} from '../../../core/data-plane/wire/read-buffers.ts';
import { SendQueue } from '../../../core/data-plane/wire/send-queue.ts';

function drain(queue: SendQueue): Buffer {
  const pieces: Buffer[] = [];
  for (let piece = queue.shift(); piece !== null; piece = queue.shift()) {
    pieces.push(piece.bytes.subarray(piece.start, piece.end));
  }
  return Buffer.concat(pieces);
}

describe('a queue of what waits to be written', () => {
  test('gives back what went in, in order, whatever was copied, lent or taken out in between', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constantFrom('push' as const, 'adopt' as const), size: fc.nat({ max: 100_000 }) }),
      fc.record({ kind: fc.constant('shift' as const), size: fc.constant(0) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const queue = new SendQueue();
        const sent: Buffer[] = [];
        const got: Buffer[] = [];
        for (const [index, { kind, size }] of steps.entries()) {
          if (kind === 'shift') {
            const piece = queue.shift();
            if (piece !== null) got.push(Buffer.from(piece.bytes.subarray(piece.start, piece.end)));
            continue;
          }
          const bytes = Buffer.alloc(size + 2, index + 1);
          sent.push(Buffer.from(bytes.subarray(1, size + 1)));
          if (kind === 'adopt') queue.adopt(bytes, 1, size + 1, true);
          else queue.push(bytes, 1, size + 1);
          if (kind === 'push') bytes.fill(0);
        }
        const waiting = queue.bytes;
        const rest = drain(queue);
        expect(rest.length).toBe(waiting);
        expect(queue.bytes).toBe(0);
        expect(Buffer.concat([...got, rest]).equals(Buffer.concat(sent))).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  test('says which pieces are lent', () => {
    const queue = new SendQueue();
    queue.push(Buffer.from('a'), 0, 1);
    queue.adopt(Buffer.from('b'), 0, 1, true);
    queue.push(Buffer.from('c'), 0, 1);
    expect([queue.shift()?.isLent, queue.shift()?.isLent, queue.shift()?.isLent]).toEqual([false, true, false]);
    expect(queue.shift()).toBeNull();
  });
});

describe('read buffers', () => {
  test('are given to one at a time, and not without end', () => {
    const taken = new Set<Buffer>();
    for (let buffer = takeReadBuffer(); buffer !== null; buffer = takeReadBuffer()) taken.add(buffer);
    expect(taken.size).toBe(128);
    for (const buffer of taken) giveReadBuffer(buffer);
    const again = takeReadBuffer();
    expect(again).not.toBeNull();
    if (again !== null) giveReadBuffer(again);
  });

  test('can be written from directly by one, during the dispatch only', () => {
    const buffer = Buffer.alloc(1);
    expect(isDirect(buffer)).toBe(false);
    beginDirect(buffer);
    expect(isDirect(buffer)).toBe(true);
    expect(isDirect(Buffer.alloc(1))).toBe(false);
    pinDirect();
    expect(isDirect(buffer)).toBe(false);
    expect(endDirect()).toBe(true);
    beginDirect(buffer);
    expect(endDirect()).toBe(false);
    expect(isDirect(buffer)).toBe(false);
  });
});

test('copies runs of every length', () => {
  const from = Buffer.from(Array.from({ length: 300 }, (_, index) => index & 255));
  for (const size of [0, 1, 63, 64, 65, 200]) {
    const to = Buffer.alloc(400, 7);
    expect(copyBytes(from, 10, 10 + size, to, 20)).toBe(20 + size);
    expect(to.subarray(20, 20 + size).equals(from.subarray(10, 10 + size))).toBe(true);
    expect(to[19]).toBe(7);
    expect(to[20 + size]).toBe(7);
  }
});

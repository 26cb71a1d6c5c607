import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameReader, opcodes, toCloseFrame, toFrame } from '../../../core/data-plane/control/websocket-frames.ts';

/** A client's frame: masked, of any opcode. */
function masked(opcode: number, payload: Buffer, isLast = true, mask = Buffer.from([7, 3, 250, 1])): Buffer {
  const plain = toFrame(opcode, payload);
  const headBytes = plain.length - payload.length;
  const head = Buffer.from(plain.subarray(0, headBytes));
  head[0] = (isLast ? 0x80 : 0) | opcode;
  head[1] = (head[1] ?? 0) | 0x80;
  return Buffer.concat([head, mask, payload.map((byte, at) => byte ^ (mask[at & 3] ?? 0))]);
}
const text = (content: string, isLast = true, opcode: number = opcodes.text) =>
  masked(opcode, Buffer.from(content), isLast);
const read = (bytes: Buffer, max = 1_000_000) => new FrameReader(max).read(bytes);

describe('FrameReader', () => {
  it('gives the same messages however the bytes are cut, at every length that changes the header', () => {
    const contents = [
      '',
      'x',
      'ä'.repeat(62),
      'y'.repeat(125),
      'z'.repeat(126),
      'w'.repeat(65_535),
      'v'.repeat(65_536),
    ];
    const bytes = Buffer.concat([...contents.map((content) => text(content)), masked(opcodes.ping, Buffer.from('p'))]);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 30 }), (sizes) => {
        const reader = new FrameReader(1_000_000);
        const events = [];
        for (let at = 0, index = 0; at < bytes.length; index += 1) {
          const size = sizes[index % sizes.length] ?? 1;
          events.push(...reader.read(bytes.subarray(at, at + size)));
          at += size;
        }
        expect(events.map((event) => (event.kind === 'text' ? event.text : event.kind))).toEqual([...contents, 'ping']);
      }),
      { numRuns: 30 },
    );
  });

  it('puts fragments together, with control frames between them', () => {
    const bytes = [text('a', false), masked(opcodes.ping, Buffer.alloc(0)), text('b', false, 0), text('c', true, 0)];
    expect(read(Buffer.concat(bytes)).map((event) => (event.kind === 'text' ? event.text : event.kind))).toEqual([
      'ping',
      'abc',
    ]);
  });

  it.each([
    ['a frame without a mask', toFrame(opcodes.text, Buffer.from('x')), 1002],
    ['a reserved bit', Buffer.from([0xc1, 0x80, 0, 0, 0, 0]), 1002],
    ['an unknown control frame', masked(11, Buffer.alloc(0)), 1002],
    ['a control frame in pieces', masked(opcodes.ping, Buffer.alloc(0), false), 1002],
    ['a control frame that is too long', masked(opcodes.ping, Buffer.alloc(126)), 1002],
    ['a continuation of nothing', text('x', true, 0), 1002],
    ['a message in the middle of another', Buffer.concat([text('x', false), text('y')]), 1002],
    ['binary', masked(2, Buffer.from('x')), 1003],
    ['text that is none', masked(opcodes.text, Buffer.from([0xff])), 1007],
    ['a message that is too large', text('x'.repeat(11)), 1009],
    [
      'fragments that are too large together',
      Buffer.concat([text('x'.repeat(6), false), text('x'.repeat(6), true, 0)]),
      1009,
    ],
    ['an absurd length', Buffer.from([0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), 1009],
  ])('fails on %s, and reads no further', (_name, bytes, code) => {
    const reader = new FrameReader(10);
    expect(reader.read(bytes).at(-1)).toEqual({ kind: 'failed', code });
    expect(reader.read(text('later'))).toEqual([]);
  });

  it('reads a close with and without a code', () => {
    expect(read(masked(opcodes.close, Buffer.from([0x03, 0xe9])))).toEqual([{ kind: 'close', code: 1001 }]);
    expect(read(masked(opcodes.close, Buffer.alloc(0)))).toEqual([{ kind: 'close', code: 1005 }]);
  });

  it('fails or waits on whatever comes, and never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect(() => read(Buffer.from(bytes), 1_000)).not.toThrow();
      }),
    );
  });
});

describe('toCloseFrame', () => {
  it('cuts a reason that is too long', () => {
    expect(toCloseFrame(1001, 'x'.repeat(500))).toHaveLength(127);
  });
});

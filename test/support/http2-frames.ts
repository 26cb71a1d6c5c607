import { frameType, nameOfError, preface } from '../../core/data-plane/http2/protocol.ts';

/** Frames built and read by hand, so that a test says octets and not what the code under test would say. */
export function frame(type: number, flags: number, stream: number, payload: Buffer | string = ''): Buffer {
  const body = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload;
  const head = Buffer.alloc(9);
  head.writeUIntBE(body.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, body]);
}

export type Field = readonly [name: string, value: string];

/** A block of literals without indexing. */
export function literals(fields: readonly Field[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]));
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const length = [127];
  let left = bytes.length - 127;
  for (; left >= 128; left >>>= 7) length.push(128 | (left & 127));
  length.push(left);
  return Buffer.concat([Buffer.from(length), bytes]);
}

export const get: readonly Field[] = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'shop'],
];
export const post: readonly Field[] = [[':method', 'POST'], ...get.slice(1)];

export function headers(stream: number, fields: readonly Field[] | Buffer, flags = 0x5): Buffer {
  return frame(frameType.headers, flags, stream, Buffer.isBuffer(fields) ? fields : literals(fields));
}

export const data = (stream: number, content: Buffer | string, flags = 0) =>
  frame(frameType.data, flags, stream, content);
export const settings = (...pairs: [id: number, value: number][]) =>
  frame(
    frameType.settings,
    0,
    0,
    Buffer.concat(
      pairs.map(([id, value]) => {
        const pair = Buffer.alloc(6);
        pair.writeUInt16BE(id);
        pair.writeUInt32BE(value, 2);
        return pair;
      }),
    ),
  );
export const settingsAck = frame(frameType.settings, 1, 0);
export const ping = (payload = '12345678', flags = 0, stream = 0) => frame(frameType.ping, flags, stream, payload);
export const number = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
export const rst = (stream: number, code: number) => frame(frameType.rstStream, 0, stream, number(code));
export const windowUpdate = (stream: number, octets: number) =>
  frame(frameType.windowUpdate, 0, stream, number(octets));
/** How a client begins. */
export const greeting = Buffer.concat([preface, settings()]);

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

export function readFrames(bytes: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUIntBE(at, 3);
    frames.push({
      type: bytes[at + 3] ?? 0,
      flags: bytes[at + 4] ?? 0,
      stream: bytes.readUInt32BE(at + 5),
      payload: bytes.subarray(at + 9, at + 9 + length),
    });
    at += 9 + length;
  }
  return frames;
}

/** Errors among frames in words: `GOAWAY PROTOCOL_ERROR`, `RST_STREAM 1 STREAM_CLOSED`. */
export function readErrors(frames: readonly Frame[]): string[] {
  return frames.flatMap(({ type, stream, payload }) => {
    if (type === frameType.goaway) return [`GOAWAY ${nameOfError(payload.readUInt32BE(4))}`];
    return type === frameType.rstStream ? [`RST_STREAM ${stream} ${nameOfError(payload.readUInt32BE())}`] : [];
  });
}

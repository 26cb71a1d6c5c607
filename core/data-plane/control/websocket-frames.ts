/** Frames of RFC 6455, as a server reads and writes them: no extensions, text and control frames only. Pure. */

export const opcodes = { continuation: 0, text: 1, close: 8, ping: 9, pong: 10 } as const;

/** Close codes of RFC 6455, 7.4.1. */
export const protocolErrorCode = 1002;
const notTextCode = 1003;
const invalidTextCode = 1007;
const tooBigCode = 1009;
const noStatusCode = 1005;

export type WebSocketEvent =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'ping'; readonly payload: Buffer }
  | { readonly kind: 'close'; readonly code: number }
  /** The peer broke the protocol: close with this code, and read no further. */
  | { readonly kind: 'failed'; readonly code: number };

const maxControlPayload = 125;

/** Reads a client's frames from any chunking of its bytes. */
export class FrameReader {
  readonly #maxMessageBytes: number;
  #chunks: Buffer[] = [];
  #size = 0;
  /** Bytes needed before another look makes sense: a large message is not looked at chunk by chunk. */
  #needed = 2;
  #message: Buffer[] | null = null;
  #messageBytes = 0;
  #isOver = false;

  constructor(maxMessageBytes: number) {
    this.#maxMessageBytes = maxMessageBytes;
  }

  read(bytes: Buffer): WebSocketEvent[] {
    const events: WebSocketEvent[] = [];
    if (this.#isOver) return events;
    this.#chunks.push(bytes);
    this.#size += bytes.length;
    while (!this.#isOver && this.#size >= this.#needed) {
      const all = this.#chunks.length === 1 ? (this.#chunks[0] ?? bytes) : Buffer.concat(this.#chunks);
      this.#chunks = [all];
      const used = this.#frame(all, events);
      if (used === 0) break;
      this.#chunks = used < all.length ? [all.subarray(used)] : [];
      this.#size = all.length - used;
      this.#needed = 2;
    }
    return events;
  }

  /** Bytes of the frame in front; 0: it is not complete, `#needed` says when it could be. */
  #frame(bytes: Buffer, events: WebSocketEvent[]): number {
    const [first = 0, second = 0] = bytes;
    const opcode = first & 0x0f;
    const isControl = opcode >= opcodes.close;
    // Reserved bits belong to extensions, and a client has to mask (RFC 6455, 5.1 and 5.2).
    if ((first & 0x70) !== 0 || (second & 0x80) === 0) return this.#fail(events, protocolErrorCode);
    let length = second & 0x7f;
    let at = 2;
    if (isControl && (length > maxControlPayload || (first & 0x80) === 0)) return this.#fail(events, protocolErrorCode);
    if (length >= 126) {
      at = length === 126 ? 4 : 10;
      if (!this.#has(bytes, at)) return 0;
      length = at === 4 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
    }
    if (!isControl && this.#messageBytes + length > this.#maxMessageBytes) return this.#fail(events, tooBigCode);
    if (!this.#has(bytes, at + 4 + length)) return 0;
    const payload = unmask(bytes.subarray(at + 4, at + 4 + length), bytes.subarray(at, at + 4));
    if (isControl) this.#control(opcode, payload, events);
    else this.#data(opcode, (first & 0x80) !== 0, payload, events);
    return at + 4 + length;
  }

  #has(bytes: Buffer, count: number): boolean {
    this.#needed = count;
    return bytes.length >= count;
  }

  #data(opcode: number, isLast: boolean, payload: Buffer, events: WebSocketEvent[]): void {
    const isFirst = opcode !== opcodes.continuation;
    if (isFirst !== (this.#message === null)) {
      this.#fail(events, protocolErrorCode);
      return;
    }
    if (isFirst && opcode !== opcodes.text) {
      this.#fail(events, notTextCode);
      return;
    }
    this.#message ??= [];
    this.#message.push(payload);
    this.#messageBytes += payload.length;
    if (!isLast) return;
    const whole = Buffer.concat(this.#message);
    this.#message = null;
    this.#messageBytes = 0;
    const text = decode(whole);
    if (text === null) this.#fail(events, invalidTextCode);
    else events.push({ kind: 'text', text });
  }

  #control(opcode: number, payload: Buffer, events: WebSocketEvent[]): void {
    if (opcode === opcodes.ping) events.push({ kind: 'ping', payload });
    else if (opcode === opcodes.close) {
      this.#isOver = true;
      events.push({ kind: 'close', code: payload.length >= 2 ? payload.readUInt16BE(0) : noStatusCode });
    } else if (opcode !== opcodes.pong) this.#fail(events, protocolErrorCode);
  }

  #fail(events: WebSocketEvent[], code: number): 0 {
    this.#isOver = true;
    this.#chunks = [];
    this.#message = null;
    events.push({ kind: 'failed', code });
    return 0;
  }
}

/** One frame, not masked, as servers write them. */
export function toFrame(opcode: number, payload: Buffer): Buffer {
  const { length } = payload;
  const headBytes = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(headBytes + length);
  frame[0] = 0x80 | opcode;
  frame[1] = headBytes === 2 ? length : headBytes === 4 ? 126 : 127;
  if (headBytes === 4) frame.writeUInt16BE(length, 2);
  if (headBytes === 10) frame.writeBigUInt64BE(BigInt(length), 2);
  payload.copy(frame, headBytes);
  return frame;
}

/** Code and reason; a reason longer than a control frame holds is cut. */
export function toCloseFrame(code: number, reason: string): Buffer {
  const text = Buffer.from(reason, 'utf8').subarray(0, maxControlPayload - 2);
  return toFrame(opcodes.close, Buffer.concat([Buffer.of(code >> 8, code & 0xff), text]));
}

function unmask(payload: Buffer, mask: Buffer): Buffer {
  if (mask.readUInt32BE() === 0) return payload;
  const bytes = Buffer.allocUnsafe(payload.length);
  for (let at = 0; at < payload.length; at += 1) bytes[at] = (payload[at] ?? 0) ^ (mask[at & 3] ?? 0);
  return bytes;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function decode(bytes: Buffer): string | null {
  try {
    return utf8.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return null;
    throw error;
  }
}

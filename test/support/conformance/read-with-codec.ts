import { createBodyScanner } from '../../../core/data-plane/http/body-scanner.ts';
import type { BodyKind, BodyScanner, HttpCodec } from '../../../core/data-plane/http/codec.ts';
import { createHttpCodec } from '../../../core/data-plane/http/head-parser.ts';

/** What the codec made of a stream: the complete messages as it would pass them on, and whether it goes on. */
export interface CodecReading {
  readonly messages: readonly string[];
  readonly ending: 'open' | 'refused';
  /** Bytes of the incomplete message at the end that were kept because the codec asked for more. */
  readonly kept: number;
}

interface Framing {
  readonly kind: BodyKind;
  readonly length: number;
  readonly end: number;
}

/** Parses a head of one kind; `null`: incomplete, `'refused'`: none. */
type HeadReader = (codec: HttpCodec, bytes: Buffer) => Framing | 'incomplete' | 'refused';

export const readRequestHead: HeadReader = (codec, bytes) => {
  const result = codec.parseRequest(bytes, 0, bytes.length);
  if (result !== 'complete') return result;
  const { chunked, contentLength, end } = codec.request;
  return { kind: chunked ? 'chunked' : contentLength > 0 ? 'length' : 'none', length: Math.max(0, contentLength), end };
};

/** Answers to GET. */
export const readAnswerHead: HeadReader = (codec, bytes) => {
  const result = codec.parseResponse(bytes, 0, bytes.length);
  if (result !== 'complete') return result;
  const { chunked, contentLength, end, status } = codec.response;
  const length = Math.max(0, contentLength);
  if (status < 200 || status === 204 || status === 304) return { kind: 'none', length: 0, end };
  return { kind: chunked ? 'chunked' : contentLength >= 0 ? 'length' : 'until-close', length, end };
};

class Reader {
  readonly messages: string[] = [];
  ending: 'open' | 'refused' = 'open';
  kept: Buffer = Buffer.alloc(0);
  readonly #codec = createHttpCodec();
  readonly #scanner: BodyScanner = createBodyScanner();
  readonly #readHead: HeadReader;
  readonly #emptyLines: boolean;
  /** The message under way, as far as it is passed on; `null` between messages. */
  #message: string | null = null;

  constructor(readHead: HeadReader) {
    this.#readHead = readHead;
    this.#emptyLines = readHead === readRequestHead;
  }

  push(piece: Buffer): void {
    this.kept = Buffer.concat([this.kept, piece]);
    while (this.kept.length > 0 && this.ending === 'open') {
      const goesOn = this.#message === null ? this.#takeHead() : this.#takeBody(this.#message);
      if (!goesOn) return;
    }
  }

  #takeHead(): boolean {
    while (this.#emptyLines && this.kept[0] === 13 && this.kept[1] === 10) this.kept = this.kept.subarray(2);
    if (this.kept.length === 0 || (this.#emptyLines && this.kept.length === 1 && this.kept[0] === 13)) return false;
    const framing = this.#readHead(this.#codec, this.kept);
    if (framing === 'refused') this.ending = 'refused';
    if (framing === 'incomplete' || framing === 'refused') return false;
    this.#message = this.kept.toString('latin1', 0, framing.end);
    this.#scanner.begin(framing.kind, framing.length, false);
    this.kept = this.kept.subarray(framing.end);
    this.#finishMessage();
    return true;
  }

  #takeBody(message: string): boolean {
    const end = this.#scanner.scan(this.kept, 0, this.kept.length);
    if (end < 0) {
      this.ending = 'refused';
      return false;
    }
    let text = message;
    for (let index = 0; index < this.#scanner.spanCount; index += 2) {
      text += this.kept.toString('latin1', this.#scanner.spans[index], this.#scanner.spans[index + 1]);
    }
    this.#message = text;
    this.kept = this.kept.subarray(end);
    this.#finishMessage();
    return true;
  }

  #finishMessage(): void {
    if (!this.#scanner.done || this.#message === null) return;
    this.messages.push(this.#message);
    this.#message = null;
  }
}

export function readWithCodec(pieces: readonly string[], readHead: HeadReader): CodecReading {
  const reader = new Reader(readHead);
  for (const piece of pieces) reader.push(Buffer.from(piece, 'latin1'));
  return { messages: reader.messages, ending: reader.ending, kept: reader.ending === 'open' ? reader.kept.length : 0 };
}

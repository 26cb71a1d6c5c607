import { createBodyScanner } from './body-scanner.ts';
import type { HttpCodec, RequestHead } from './codec.ts';
import type { RequestSink } from './streams.ts';

/** The body of a client's requests, one after the other, as it goes from the connection to the sink of each. */
export class RequestBody {
  readonly #scanner = createBodyScanner();
  readonly #codec: HttpCodec;

  constructor(codec: HttpCodec) {
    this.#codec = codec;
  }

  get done(): boolean {
    return this.#scanner.done;
  }

  /** `decode`: chunks are handed over as plain data. */
  begin(form: 'none' | 'length' | 'chunked', head: RequestHead, decode: boolean): void {
    this.#scanner.begin(form, Math.max(0, head.contentLength), decode);
  }

  /** Index after the last byte that belongs to the body, -1 when the chunked coding is broken; `start` or `relay` follows. */
  scan(bytes: Buffer, start: number, end: number): number {
    return this.#scanner.scan(bytes, start, end);
  }

  /** Starts the request with what was scanned behind its head. */
  start(sink: RequestSink, bytes: Buffer, bodyStart: number): void {
    const { done, spans, spanCount, trailers } = this.#scanner;
    const isLast = done && spanCount <= 2 && trailers === null;
    if (spanCount === 0) sink.start(bytes, bodyStart, bodyStart, isLast);
    else sink.start(bytes, spans[0] ?? 0, spans[1] ?? 0, isLast);
    if (!isLast) this.relay(sink, bytes, 2);
  }

  /** Hands on what was scanned, from the span at `from` on. */
  relay(sink: RequestSink, bytes: Buffer, from = 0): void {
    const { spans, spanCount, done, trailers } = this.#scanner;
    for (let index = from; index < spanCount; index += 2) sink.body(bytes, spans[index] ?? 0, spans[index + 1] ?? 0);
    if (!done) return;
    const fields = trailers === null ? null : this.#codec.parseTrailers(trailers, 0, trailers.length);
    if (trailers !== null && fields !== null) sink.trailers(trailers, fields);
    sink.end();
  }
}

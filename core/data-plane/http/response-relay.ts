import type { Socket } from 'node:net';
import { createBodyScanner } from './body-scanner.ts';
import type { BodyKind, HttpCodec, ResponseHead } from './codec.ts';
import { writeResponseHead } from './head-writer.ts';

/** What the relay must know of the request it answers. */
export interface AnsweredRequest {
  readonly headOnly: boolean;
  /** 0: an HTTP/1.0 client, which knows neither chunks nor interim answers. */
  readonly minor: number;
  readonly upgrade: boolean;
}

/**
 * `more`: wait for bytes. `done`: the final answer is complete. `switched`: 101 was forwarded, `rest` are the first
 * bytes of the other protocol. `broken`: no HTTP, or framing that cannot be trusted.
 */
export type RelayState = 'more' | 'done' | 'switched' | 'broken';

/** A body up to this size is copied behind its head rather than written after it. */
const copiedBodyBytes = 16 * 1024;
const lineEnd = Buffer.from('\r\n');
const lastChunk = Buffer.from('0\r\n\r\n');

/** Response bytes in, edited response out to the client's socket. One per attempt. */
export class ResponseRelay {
  readonly #codec: HttpCodec;
  readonly #request: AnsweredRequest;
  readonly #client: Socket;
  /** Asked when the final head is about to be written: may the client's connection live on? */
  readonly #mayKeepClient: () => boolean;
  readonly #body = createBodyScanner();
  #pending: Buffer | null = null;
  #kind: BodyKind = 'none';
  /** A body that ends with the server's connection goes on in chunks, so that its end can be told from a loss. */
  #encodes = false;
  /** Status of the final answer; 0 before it. */
  status = 0;
  /** True as soon as anything was written to the client. */
  started = false;
  /** The client's connection ends after this answer. */
  closesClient = false;
  /** The client takes the end of its connection for the end of the body (HTTP/1.0). */
  endsWithConnection = false;
  /** The server's connection may carry another request. */
  reusable = false;
  keepAliveSeconds = -1;
  rest: Buffer = Buffer.alloc(0);
  /** False when the client's socket asks to wait for `drain`. */
  flowing = true;

  constructor(codec: HttpCodec, request: AnsweredRequest, client: Socket, mayKeepClient: () => boolean) {
    this.#codec = codec;
    this.#request = request;
    this.#client = client;
    this.#mayKeepClient = mayKeepClient;
  }

  feed(received: Buffer): RelayState {
    let bytes = received;
    if (this.#pending !== null) {
      bytes = Buffer.concat([this.#pending, received]);
      this.#pending = null;
    }
    if (this.status !== 0) return this.#relayBody(bytes, 0);
    let at = 0;
    while (at < bytes.length) {
      const result = this.#codec.parseResponse(bytes, at, bytes.length);
      if (result === 'refused') return 'broken';
      if (result === 'incomplete') {
        this.#pending = bytes.subarray(at);
        return 'more';
      }
      const head = this.#codec.response;
      at = head.end;
      if (head.status >= 200) return this.#relayFinal(bytes, head);
      if (head.status === 101) return this.#relaySwitch(bytes, head);
      if (this.#request.minor === 1)
        this.#write(writeResponseHead(bytes, head, { connection: null, framing: false, chunked: false }));
    }
    return 'more';
  }

  /** The server has sent its FIN: the end of an answer that ends this way, otherwise too early. */
  end(): RelayState {
    if (this.status === 0 || this.#kind !== 'until-close') return 'broken';
    if (this.#encodes) this.#write(lastChunk);
    return 'done';
  }

  #relaySwitch(bytes: Buffer, head: ResponseHead): RelayState {
    if (!this.#request.upgrade || !head.upgrade) return 'broken';
    const { end } = head;
    this.status = 101;
    this.#write(writeResponseHead(bytes, head, { connection: 'upgrade', framing: false, chunked: false }));
    this.rest = bytes.subarray(end);
    return 'switched';
  }

  #relayFinal(bytes: Buffer, head: ResponseHead): RelayState {
    const { status, end } = head;
    const old = this.#request.minor === 0;
    this.#kind = bodyKind(head, this.#request.headOnly);
    const decode = this.#kind === 'chunked' && old;
    this.status = status;
    this.keepAliveSeconds = head.keepAliveSeconds;
    this.reusable = this.#kind !== 'until-close' && (head.minor === 1 ? !head.close : head.keepAlive);
    this.#encodes = this.#kind === 'until-close' && !old;
    this.endsWithConnection = old && (decode || this.#kind === 'until-close');
    this.closesClient = this.endsWithConnection || !this.#mayKeepClient();
    this.#body.begin(this.#kind, Math.max(0, head.contentLength), decode);
    const connection = this.closesClient ? 'close' : old ? 'keep-alive' : null;
    const edit = { connection, framing: status !== 204 && !decode, chunked: this.#encodes } as const;
    const bodyEnd = this.#body.scan(bytes, end, bytes.length);
    if (bodyEnd < 0) return 'broken';
    const { spans, spanCount } = this.#body;
    const [from = end, to = end] = spans;
    if (spanCount === 0 || (spanCount === 2 && !this.#encodes && to - from <= copiedBodyBytes)) {
      this.#write(
        spanCount === 0 ? writeResponseHead(bytes, head, edit) : writeResponseHead(bytes, head, edit, from, to),
      );
    } else {
      this.#client.cork();
      this.#write(writeResponseHead(bytes, head, edit));
      this.#relaySpans(bytes);
      this.#client.uncork();
    }
    return this.#stateAfter(bytes, bodyEnd);
  }

  #relayBody(bytes: Buffer, from: number): RelayState {
    const end = this.#body.scan(bytes, from, bytes.length);
    if (end < 0) return 'broken';
    this.#relaySpans(bytes);
    return this.#stateAfter(bytes, end);
  }

  #relaySpans(bytes: Buffer): void {
    const { spans, spanCount } = this.#body;
    const several = spanCount > 2 || this.#encodes;
    if (several) this.#client.cork();
    for (let index = 0; index < spanCount; index += 2) this.#relaySpan(bytes.subarray(spans[index], spans[index + 1]));
    if (several) this.#client.uncork();
  }

  #stateAfter(bytes: Buffer, end: number): RelayState {
    if (!this.#body.done) return 'more';
    // Bytes behind the answer belong to no request.
    if (end < bytes.length) this.reusable = false;
    return 'done';
  }

  #relaySpan(bytes: Buffer): void {
    if (this.#encodes) this.#write(Buffer.from(`${bytes.length.toString(16)}\r\n`));
    this.#write(bytes);
    if (this.#encodes) this.#write(lineEnd);
  }

  #write(bytes: Buffer): void {
    this.started = true;
    this.flowing = this.#client.write(bytes);
  }
}

/** RFC 9112 section 6.3. */
function bodyKind(head: ResponseHead, headOnly: boolean): BodyKind {
  if (headOnly || head.status === 204 || head.status === 304) return 'none';
  if (head.chunked) return 'chunked';
  return head.contentLength >= 0 ? 'length' : 'until-close';
}

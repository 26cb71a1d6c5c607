import type { Wire } from '../wire/wire.ts';
import { sendChunk, sendChunkedTrailers, sendLastChunk } from './chunk-coding.ts';
import type { HeadFields, ResponseHead } from './codec.ts';
import { composeResponseHead, type ResponseEdit, responseHeadRoom } from './head-writer.ts';
import type { BodyForm } from './streams.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** A response on its way to an HTTP/1.x client. Reused from response to response. */
export class ClientResponse {
  /** The client's connection ends after this answer. */
  closes = false;
  /** The client takes the end of its connection for the end of the body (HTTP/1.0). */
  endsWithConnection = false;
  /** Anything of the final answer was sent. */
  started = false;
  #encodes = false;
  readonly #edit: Mutable<ResponseEdit> = { connection: null, framing: true, chunked: false };

  begin(): void {
    this.started = false;
    this.closes = false;
    this.endsWithConnection = false;
    this.#encodes = false;
  }

  sendInterim(wire: Wire, bytes: Buffer, head: ResponseHead): void {
    this.#compose(wire, bytes, head, null, false);
  }

  sendUpgrade(wire: Wire, bytes: Buffer, head: ResponseHead): void {
    this.started = true;
    this.#encodes = false;
    this.#compose(wire, bytes, head, 'upgrade', false);
  }

  /** `minor` is the client's; `keep`: its connection may live on. */
  sendHead(wire: Wire, bytes: Buffer, head: ResponseHead, form: BodyForm, minor: number, keep: boolean): boolean {
    const isOld = minor === 0;
    const isPlain = form === 'plain';
    this.started = true;
    this.endsWithConnection = isOld && isPlain;
    this.closes = this.endsWithConnection || !keep;
    this.#encodes = isPlain && !isOld;
    const connection = this.closes ? 'close' : isOld ? 'keep-alive' : null;
    // A body without a length of its own has lost the coding that it may have had.
    return this.#compose(wire, bytes, head, connection, head.status !== 204 && !isPlain);
  }

  sendBody(wire: Wire, bytes: Buffer, start: number, end: number, isLast: boolean): boolean {
    if (!this.#encodes) return end > start ? wire.send(bytes, start, end) : true;
    const goOn = sendChunk(wire, bytes, start, end);
    return isLast ? sendLastChunk(wire) : goOn;
  }

  sendTrailers(wire: Wire, bytes: Buffer, trailers: HeadFields): void {
    if (this.#encodes) sendChunkedTrailers(wire, bytes, trailers);
  }

  #compose(
    wire: Wire,
    bytes: Buffer,
    head: ResponseHead,
    connection: ResponseEdit['connection'],
    framing: boolean,
  ): boolean {
    const edit = this.#edit;
    edit.connection = connection;
    edit.framing = framing;
    edit.chunked = this.#encodes;
    const at = wire.reserve(responseHeadRoom(head));
    return wire.commit(composeResponseHead(wire.output, at, bytes, head, edit));
  }
}

import { allowance, holdBytes } from '../wire/held-bytes.ts';
import type { HeadFields, HttpCodec, ResponseHead } from './codec.ts';
import type { ResponseFaults } from './draw-faults.ts';
import { PacedBody } from './paced-body.ts';
import { maxRewrittenBytes, reframe, rewriteBody, whyUntouched, withoutOriginal } from './rewritten-body.ts';
import type { BodyForm, ClientStream } from './streams.ts';

export interface ShapedResponseOptions {
  readonly client: ClientStream;
  /** For heads that are changed; nobody else may use it meanwhile. */
  readonly codec: HttpCodec;
  readonly faults: ResponseFaults;
  readonly monotonicMs: () => number;
  /** False: the faults are switched off; what is held back leaves at once. */
  readonly holds: () => boolean;
  /** There is room for more of the answer. */
  readonly drained: () => void;
  /** Nothing goes to the client any more. False: it has been cut off. May come inside a call. */
  readonly ended: (complete: boolean) => void;
}

/**
 * An answer on its way to the client whose body is changed, slowed down or cut off, in this order. It stands between the
 * exchange and the client; takes bodies in the forms `none`, `length` and `plain`. Bodies of up to `maxRewrittenBytes` are held
 * to be changed, larger ones pass as they are.
 */
export class ShapedResponse {
  readonly #options: ShapedResponseOptions;
  readonly #paced: PacedBody | null;
  #left: number;
  #over = false;
  /** The head, while the body is collected. */
  #head: Buffer | null = null;
  #form: BodyForm = 'plain';
  #collected: Buffer[] = [];
  #size = 0;
  /** Field lines that end the body, while it is held back. */
  #trailers: Buffer | null = null;
  #isCut = false;

  constructor(options: ShapedResponseOptions) {
    const { faults, client, monotonicMs, holds, drained } = options;
    this.#options = options;
    this.#left = faults.cutAfterBytes ?? Number.POSITIVE_INFINITY;
    const { bytesPerSecond } = faults;
    const send = (bytes: Buffer) => client.sendBody(bytes, 0, bytes.length, false);
    const done = () => this.#paceEnded();
    this.#paced =
      bytesPerSecond === null ? null : new PacedBody({ bytesPerSecond, monotonicMs, holds, send, drained, done });
  }

  /** As `ClientStream.sendHead`. */
  sendHead(
    bytes: Buffer,
    head: ResponseHead,
    form: BodyForm,
    bodyStart: number,
    bodyEnd: number,
    isLast: boolean,
  ): boolean {
    const { client, faults } = this.#options;
    if (form === 'none' || (isLast && bodyStart === bodyEnd && faults.body.length === 0)) {
      const goOn = client.sendHead(bytes, head, form, bodyStart, bodyEnd, isLast);
      if (isLast) this.#end(true);
      return goOn;
    }
    if (faults.body.length > 0 && whyUntouched(bytes, head) === null) {
      return this.#beginRewriting(bytes, head, form, bodyStart, bodyEnd, isLast);
    }
    const goOn = client.sendHead(bytes, head, form, head.end, head.end, false);
    return this.#pass(bytes, bodyStart, bodyEnd, isLast) && goOn;
  }

  /** As `ClientStream.sendBody`. */
  sendBody(bytes: Buffer, start: number, end: number, isLast: boolean): boolean {
    if (this.#over || this.#isCut) return true;
    return this.#head === null ? this.#pass(bytes, start, end, isLast) : this.#collect(bytes, start, end, isLast);
  }

  /** As `ClientStream.sendTrailers`. A body that was changed has none. */
  sendTrailers(bytes: Buffer, trailers: HeadFields): void {
    if (this.#over || this.#isCut) return;
    if (this.#head !== null) {
      this.#rewrite();
    } else if (this.#paced === null) {
      this.#options.client.sendTrailers(bytes, trailers);
      this.#end(true);
    } else {
      this.#trailers = Buffer.from(bytes.subarray(trailers.fieldsStart, trailers.end));
      this.#paced.end();
    }
  }

  clientDrained(): void {
    if (this.#paced !== null) this.#paced.resume();
    else this.#options.drained();
  }

  /** The exchange is over. */
  close(): void {
    this.#over = true;
    this.#paced?.close();
    this.#forget();
  }

  // --- another body ------------------------------------------------------------------------------------------------

  #beginRewriting(
    bytes: Buffer,
    head: ResponseHead,
    form: BodyForm,
    bodyStart: number,
    bodyEnd: number,
    isLast: boolean,
  ): boolean {
    this.#head = Buffer.from(bytes.subarray(head.start, head.end));
    this.#form = form;
    if (withoutOriginal(this.#options.faults.body) === null) return this.#collect(bytes, bodyStart, bodyEnd, isLast);
    this.#rewrite();
    return true;
  }

  #collect(bytes: Buffer, start: number, end: number, isLast: boolean): boolean {
    this.#collected.push(Buffer.from(bytes.subarray(start, end)));
    this.#size += end - start;
    holdBytes(end - start);
    if (this.#size > allowance(maxRewrittenBytes)) return this.#giveUp(isLast);
    if (isLast) this.#rewrite();
    return true;
  }

  #rewrite(): void {
    const { client, faults, codec } = this.#options;
    const head = this.#head;
    if (head === null || codec.parseResponse(head, 0, head.length) !== 'complete') return;
    const changes = withoutOriginal(faults.body) ?? faults.body;
    const body = rewriteBody(Buffer.concat(this.#collected), changes);
    const made = reframe(head, codec.response, body.length);
    this.#forget();
    if (made === null || codec.parseResponse(made, 0, made.length) !== 'complete') {
      this.#cut();
      return;
    }
    client.sendHead(made, codec.response, 'length', made.length, made.length, body.length === 0);
    if (body.length === 0) this.#end(true);
    else this.#pass(body, 0, body.length, true);
  }

  /** Too large: it passes as it is, and the head says so. */
  #giveUp(isLast: boolean): boolean {
    const { client, codec } = this.#options;
    const head = this.#head;
    if (head === null || codec.parseResponse(head, 0, head.length) !== 'complete') return true;
    const note = `${skippedHeader}: body: larger than ${allowance(maxRewrittenBytes)} bytes`;
    const told = reframe(head, codec.response, null, [note]) ?? head;
    if (codec.parseResponse(told, 0, told.length) !== 'complete') codec.parseResponse(head, 0, head.length);
    const { end } = codec.response;
    const goOn = client.sendHead(told, codec.response, this.#form, end, end, false);
    const body = Buffer.concat(this.#collected);
    this.#forget();
    return this.#pass(body, 0, body.length, isLast) && goOn;
  }

  #forget(): void {
    this.#head = null;
    this.#collected = [];
    holdBytes(-this.#size);
    this.#size = 0;
  }

  // --- to the client -----------------------------------------------------------------------------------------------

  #pass(bytes: Buffer, start: number, end: number, isLast: boolean): boolean {
    this.#isCut = end - start > this.#left;
    const to = this.#isCut ? start + this.#left : end;
    this.#left -= to - start;
    if (this.#paced !== null) {
      const goOn = this.#paced.push(bytes, start, to);
      if (isLast || this.#isCut) this.#paced.end();
      return goOn;
    }
    const { client } = this.#options;
    const ends = isLast && !this.#isCut;
    const goOn = to > start || ends ? client.sendBody(bytes, start, to, ends) : true;
    if (this.#isCut) this.#cut();
    else if (isLast) this.#end(true);
    return goOn;
  }

  #paceEnded(): void {
    const { client, codec } = this.#options;
    const trailers = this.#trailers;
    if (this.#isCut) {
      this.#cut();
      return;
    }
    const fields = trailers === null ? null : codec.parseTrailers(trailers, 0, trailers.length);
    if (trailers === null || fields === null) client.sendBody(noBytes, 0, 0, true);
    else client.sendTrailers(trailers, fields);
    this.#end(true);
  }

  #cut(): void {
    this.#options.client.abort('lost');
    this.#end(false);
  }

  #end(complete: boolean): void {
    if (this.#over) return;
    this.#over = true;
    this.#options.ended(complete);
  }
}

/** Says why a fault has left an answer as it was. */
export const skippedHeader = 'x-mesh-fault-skipped';
const noBytes = Buffer.alloc(0);

import { createBodyScanner } from '../http/body-scanner.ts';
import type { HeadFields } from '../http/codec.ts';
import type { BodyForm } from '../http/streams.ts';
import { type BodyCoding, bodyCoding } from './frame.ts';

/** Takes a part of a body; `isLast`: it ends with it. */
export type TakeBody = (bytes: Buffer, start: number, end: number, isLast: boolean) => void;

const noBytes = Buffer.alloc(0);

/**
 * The body of one message as it comes from a stream. What the peer says is checked: a body of known length or in chunks must
 * end exactly with the stream. One instance serves one message after the other.
 */
export class BodyReader {
  readonly #scanner = createBodyScanner();
  #form: BodyForm = 'none';
  done = true;
  /** Field lines behind decoded chunks; their end ends the body, no part of it is the last. */
  trailers: Buffer | null = null;

  /** The form in which the body arrives, or `null` when head and frame contradict each other. */
  static formOf(coding: BodyCoding, head: HeadFields): BodyForm | null {
    switch (coding) {
      case bodyCoding.none:
        return 'none';
      case bodyCoding.asHead:
        if (head.chunked) return 'chunked';
        if (head.contentLength === 0) return 'none';
        return head.contentLength > 0 ? 'length' : null;
      default:
        return head.chunked || head.contentLength >= 0 ? null : 'plain';
    }
  }

  /** `decode`: chunks are handed over as plain data. */
  begin(form: BodyForm, head: HeadFields, decode: boolean): void {
    this.#form = form;
    this.done = form === 'none';
    this.trailers = null;
    const isCoded = form === 'chunked' || form === 'length';
    this.#scanner.begin(isCoded ? form : 'none', Math.max(0, head.contentLength), decode);
  }

  /** False: more bytes than the body has, or broken chunks. */
  read(bytes: Buffer, start: number, end: number, take: TakeBody): boolean {
    if (this.#form === 'plain') {
      if (this.done) return false;
      // Whoever takes the last part may say so meanwhile.
      take(bytes, start, end, false);
      return true;
    }
    if (this.done) return start === end;
    const scanner = this.#scanner;
    if (scanner.scan(bytes, start, end) !== end) return false;
    this.done = scanner.done;
    // The spans are the scanner's own and change with its next body.
    const { spanCount, done, trailers } = scanner;
    this.trailers = trailers;
    const last = done && trailers === null ? spanCount - 2 : -1;
    for (let index = 0; index < spanCount; index += 2) {
      take(bytes, scanner.spans[index] ?? 0, scanner.spans[index + 1] ?? 0, index === last);
    }
    if (done && trailers === null && spanCount === 0) take(noBytes, 0, 0, true);
    return true;
  }

  /** The stream has ended. False: too early. */
  end(take: TakeBody): boolean {
    if (this.done) return true;
    if (this.#form !== 'plain') return false;
    this.done = true;
    take(noBytes, 0, 0, true);
    return true;
  }

  /** A block of trailers ends a plain body. False: there can be none here. */
  endWithTrailers(): boolean {
    if (this.done || this.#form !== 'plain') return false;
    this.done = true;
    return true;
  }
}

/** How a body of `form` travels. */
export function codingOf(form: BodyForm): BodyCoding {
  if (form === 'none') return bodyCoding.none;
  return form === 'plain' ? bodyCoding.plain : bodyCoding.asHead;
}

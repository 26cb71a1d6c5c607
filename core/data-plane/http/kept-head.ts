import { copyBytes } from '../wire/copy-bytes.ts';
import type { RequestHead } from './codec.ts';

const fewBytes = 512;
const fewHeaders = 16;
/** More than this is given back after the request. */
const manyBytes = 4 * 1024;

/**
 * A request's head as it came, kept for as long as the request lasts: for attempts that come later, for conditions of routes,
 * for the record. Reused from request to request.
 */
export class KeptHead implements RequestHead {
  bytes = Buffer.allocUnsafeSlow(fewBytes);
  nameStart = new Int32Array(fewHeaders);
  nameEnd = new Int32Array(fewHeaders);
  valueStart = new Int32Array(fewHeaders);
  valueEnd = new Int32Array(fewHeaders);
  dropped = new Uint8Array(fewHeaders);
  count = 0;
  readonly start = 0;
  methodEnd = 0;
  targetStart = 0;
  targetEnd = 0;
  fieldsStart = 0;
  end = 0;
  minor = 1;
  contentLength = -1;
  chunked = false;
  close = false;
  keepAlive = false;
  upgrade = false;
  hostIndex = -1;
  hasRequestId = false;
  hasGrpcTimeout = false;
  expectContinue = false;
  teTrailers = false;

  keep(bytes: Buffer, head: RequestHead): void {
    const { start, count } = head;
    const size = head.end - start;
    if (size > this.bytes.length) this.bytes = Buffer.allocUnsafeSlow(roundUp(size));
    copyBytes(bytes, start, head.end, this.bytes, 0);
    if (count > this.dropped.length) this.#grow(count);
    for (let index = 0; index < count; index += 1) {
      this.nameStart[index] = (head.nameStart[index] ?? 0) - start;
      this.nameEnd[index] = (head.nameEnd[index] ?? 0) - start;
      this.valueStart[index] = (head.valueStart[index] ?? 0) - start;
      this.valueEnd[index] = (head.valueEnd[index] ?? 0) - start;
      this.dropped[index] = head.dropped[index] ?? 0;
    }
    this.count = count;
    this.methodEnd = head.methodEnd - start;
    this.targetStart = head.targetStart - start;
    this.targetEnd = head.targetEnd - start;
    this.fieldsStart = head.fieldsStart - start;
    this.end = size;
    this.minor = head.minor;
    this.contentLength = head.contentLength;
    this.chunked = head.chunked;
    this.close = head.close;
    this.keepAlive = head.keepAlive;
    this.upgrade = head.upgrade;
    this.hostIndex = head.hostIndex;
    this.hasRequestId = head.hasRequestId;
    this.hasGrpcTimeout = head.hasGrpcTimeout;
    this.expectContinue = head.expectContinue;
    this.teTrailers = head.teTrailers;
  }

  /** Between requests: gives memory back that few requests need. */
  shrink(): void {
    if (this.bytes.length > manyBytes) this.bytes = Buffer.allocUnsafeSlow(fewBytes);
  }

  #grow(count: number): void {
    const size = roundUp(count);
    this.nameStart = new Int32Array(size);
    this.nameEnd = new Int32Array(size);
    this.valueStart = new Int32Array(size);
    this.valueEnd = new Int32Array(size);
    this.dropped = new Uint8Array(size);
  }
}

function roundUp(size: number): number {
  let rounded = 16;
  while (rounded < size) rounded *= 2;
  return rounded;
}

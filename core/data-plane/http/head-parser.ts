import {
  type HeadLimits,
  type HeadRefusal,
  type HeadResult,
  type HttpCodec,
  headLimits,
  maxTrailerBytes,
  type RequestHead,
  type ResponseHead,
} from './codec.ts';
import { type FieldsResult, HeaderLines } from './head-fields.ts';
import { equalsIgnoringCase, isFieldValue, isForbiddenTrailer, isHost, isTarget, isToken, toOctets } from './octets.ts';

const word = {
  host: toOctets('host'),
  expect: toOctets('expect'),
  continue: toOctets('100-continue'),
  te: toOctets('te'),
  requestId: toOctets('x-request-id'),
  grpcTimeout: toOctets('grpc-timeout'),
  keepAlive: toOctets('keep-alive'),
};
const version = Buffer.from('HTTP/1.');
const maxMethodBytes = 32;

/** How far `HTTP/1.` is there from `at`: 7 all of it, less when the bytes end; -1 - n when it differs after n octets. */
function matchVersion(bytes: Buffer, at: number, end: number): number {
  let matched = 0;
  while (matched < version.length && at + matched < end) {
    if (bytes[at + matched] !== version[matched]) return -1 - matched;
    matched += 1;
  }
  return matched;
}

class RequestLines extends HeaderLines implements RequestHead {
  methodEnd = 0;
  targetStart = 0;
  targetEnd = 0;
  hostIndex = -1;
  hasRequestId = false;
  hasGrpcTimeout = false;
  expectContinue = false;
  teTrailers = false;

  parse(bytes: Buffer, start: number, end: number): FieldsResult {
    this.resetFields(start);
    this.hostIndex = -1;
    this.hasRequestId = false;
    this.hasGrpcTimeout = false;
    this.expectContinue = false;
    this.teTrailers = false;
    const line = this.#parseLine(bytes, start, end);
    if (line <= 0) return line;
    const fields = this.parseFields(bytes, line, end);
    if (fields <= 0) return fields;
    if (this.minor === 1 && this.hostIndex < 0) return this.refuse(400, 'no Host header');
    return 1;
  }

  /** Index after the request line; 0 incomplete; negative refused. */
  #parseLine(bytes: Buffer, start: number, end: number): number {
    let at = start;
    while (at < end && isToken[bytes[at] ?? 0] === 1) {
      at += 1;
      if (at - start > maxMethodBytes) return this.refuse(501, `a method longer than ${maxMethodBytes} bytes`);
    }
    if (at >= end) return 0;
    if (bytes[at] !== 32 || at === start) return this.refuse(400, 'an invalid method');
    this.methodEnd = at;
    at += 1;
    this.targetStart = at;
    while (at < end && isTarget[bytes[at] ?? 0] === 1) at += 1;
    if (at >= end) return 0;
    if (bytes[at] !== 32 || at === this.targetStart) return this.refuse(400, 'an invalid request target');
    this.targetEnd = at;
    at += 1;
    const matched = matchVersion(bytes, at, end);
    if (matched < 0 && matched >= -'HTTP/'.length) return this.refuse(400, 'an invalid request line');
    if (matched < 0) return this.refuse(505, 'a protocol version other than HTTP/1.0 or HTTP/1.1');
    if (matched < 7 || at + 7 >= end) return 0;
    this.minor = (bytes[at + 7] ?? 0) - 48;
    if (this.minor !== 0 && this.minor !== 1)
      return this.refuse(505, 'a protocol version other than HTTP/1.0 or HTTP/1.1');
    if (at + 8 < end && bytes[at + 8] !== 13) return this.refuse(400, 'an invalid request line');
    if (at + 9 >= end) return 0;
    if (bytes[at + 9] !== 10) return this.refuse(400, 'an invalid request line');
    return at + 10;
  }

  protected override special(bytes: Buffer, index: number, length: number): FieldsResult {
    const at = this.nameStart[index] ?? 0;
    switch (length) {
      case 2:
        if (equalsIgnoringCase(bytes, at, word.te)) this.#seeTe(bytes, index);
        break;
      case 4:
        if (equalsIgnoringCase(bytes, at, word.host)) return this.#seeHost(bytes, index);
        break;
      case 6:
        if (equalsIgnoringCase(bytes, at, word.expect)) return this.#seeExpect(bytes, index);
        break;
      case 12:
        if (equalsIgnoringCase(bytes, at, word.requestId)) this.hasRequestId = true;
        else if (equalsIgnoringCase(bytes, at, word.grpcTimeout)) this.hasGrpcTimeout = true;
        break;
    }
    return 1;
  }

  #seeHost(bytes: Buffer, index: number): FieldsResult {
    if (this.hostIndex >= 0) return this.refuse(400, 'more than one Host header');
    this.hostIndex = index;
    const end = this.valueEnd[index] ?? 0;
    for (let at = this.valueStart[index] ?? 0; at < end; at += 1) {
      if (isHost[bytes[at] ?? 0] !== 1) return this.refuse(400, 'an invalid Host header');
    }
    return 1;
  }

  #seeExpect(bytes: Buffer, index: number): FieldsResult {
    const at = this.valueStart[index] ?? 0;
    if ((this.valueEnd[index] ?? 0) - at !== 12 || !equalsIgnoringCase(bytes, at, word.continue)) {
      return this.refuse(417, 'an Expect other than 100-continue');
    }
    // RFC 9110 section 10.1.1: an expectation in an HTTP/1.0 request is ignored.
    if (this.minor === 1) this.expectContinue = true;
    else this.dropped[index] = 1;
    return 1;
  }

  #seeTe(bytes: Buffer, index: number): void {
    const value = bytes.toString('latin1', this.valueStart[index], this.valueEnd[index]).toLowerCase();
    if (value.split(',').some((coding) => coding.trim() === 'trailers')) this.teTrailers = true;
  }
}

class ResponseLines extends HeaderLines implements ResponseHead {
  status = 0;
  keepAliveSeconds = -1;

  parse(bytes: Buffer, start: number, end: number): FieldsResult {
    this.resetFields(start);
    this.status = 0;
    this.keepAliveSeconds = -1;
    const line = this.#parseLine(bytes, start, end);
    return line <= 0 ? line : this.parseFields(bytes, line, end);
  }

  #parseLine(bytes: Buffer, start: number, end: number): number {
    const matched = matchVersion(bytes, start, end);
    if (matched < 0) return this.refuse(502, 'bytes that are no HTTP/1 response');
    if (end - start < 12) return 0;
    this.minor = (bytes[start + 7] ?? 0) - 48;
    if ((this.minor !== 0 && this.minor !== 1) || bytes[start + 8] !== 32) {
      return this.refuse(502, 'an unknown protocol version');
    }
    for (let at = start + 9; at < start + 12; at += 1) {
      const digit = (bytes[at] ?? 0) - 48;
      if (digit < 0 || digit > 9) return this.refuse(502, 'an invalid status');
      this.status = this.status * 10 + digit;
    }
    if (this.status < 100 || this.status > 999) return this.refuse(502, 'an invalid status');
    let at = start + 12;
    if (at < end && bytes[at] === 32) {
      at += 1;
      while (at < end && isFieldValue[bytes[at] ?? 0] === 1) at += 1;
    }
    if (at < end && bytes[at] !== 13) return this.refuse(502, 'an invalid status line');
    if (at + 1 >= end) return 0;
    if (bytes[at + 1] !== 10) return this.refuse(502, 'an invalid status line');
    return at + 2;
  }

  protected override special(bytes: Buffer, index: number, length: number): FieldsResult {
    if (length !== 10 || !equalsIgnoringCase(bytes, this.nameStart[index] ?? 0, word.keepAlive)) return 1;
    const value = bytes.toString('latin1', this.valueStart[index], this.valueEnd[index]);
    const seconds = /(?:^|[\s,])timeout\s*=\s*"?(\d{1,6})/i.exec(value)?.[1];
    if (seconds !== undefined) this.keepAliveSeconds = Number(seconds);
    return 1;
  }
}

class TrailerLines extends HeaderLines {
  parse(bytes: Buffer, start: number, end: number): boolean {
    this.resetFields(start);
    if (end - start > maxTrailerBytes || this.parseFields(bytes, start, end) <= 0 || this.end !== end) return false;
    for (let index = 0; index < this.count; index += 1) {
      const from = this.nameStart[index] ?? 0;
      if (isForbiddenTrailer(bytes, from, (this.nameEnd[index] ?? 0) - from)) return false;
    }
    return true;
  }
}

/**
 * The strict parser. One codec serves any number of connections, as its results are read before the next call.
 * @param limits of a head; by default what clients and servers may send
 */
export function createHttpCodec(limits: HeadLimits = headLimits.client): HttpCodec {
  const maxHeadBytes = limits.bytes;
  const request = new RequestLines(limits.headers);
  const response = new ResponseLines(limits.headers);
  const trailers = new TrailerLines(limits.headers);
  const refusal = { status: 0, reason: '' };
  // Only so many bytes are looked at, so that the outcome does not depend on how the bytes arrived.
  const settle = (head: HeaderLines, result: FieldsResult, full: boolean, tooLarge: number): HeadResult => {
    if (result > 0) return 'complete';
    if (result === 0 && !full) return 'incomplete';
    refusal.status = result === 0 ? tooLarge : -result;
    refusal.reason = result === 0 ? `a head larger than ${maxHeadBytes} bytes` : head.reason;
    return 'refused';
  };
  return {
    request,
    response,
    refusal: refusal as HeadRefusal,
    parseRequest(bytes, start, end) {
      const limit = Math.min(end, start + maxHeadBytes);
      return settle(request, request.parse(bytes, start, limit), limit - start === maxHeadBytes, 431);
    },
    parseResponse(bytes, start, end) {
      const limit = Math.min(end, start + maxHeadBytes);
      const result = response.parse(bytes, start, limit);
      return settle(response, result < 0 ? -502 : result, limit - start === maxHeadBytes, 502);
    },
    parseTrailers: (bytes, start, end) => (trailers.parse(bytes, start, end) ? trailers : null),
  };
}

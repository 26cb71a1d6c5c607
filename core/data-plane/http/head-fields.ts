import type { HeadFields } from './codec.ts';
import { equalsIgnoringCase, isFieldValue, isToken, toOctets } from './octets.ts';

const word = {
  connection: toOctets('connection'),
  contentLength: toOctets('content-length'),
  transferEncoding: toOctets('transfer-encoding'),
  upgrade: toOctets('upgrade'),
  keepAlive: toOctets('keep-alive'),
  proxyConnection: toOctets('proxy-connection'),
  te: toOctets('te'),
  chunked: toOctets('chunked'),
  close: toOctets('close'),
  h2c: toOctets('h2c'),
};
/** `Connection: host` must not make us lose what frames or addresses the message. */
const neverNominated = new Set(['host', 'content-length', 'transfer-encoding', 'connection', 'upgrade', 'expect']);
const maxLengthDigits = 15;

/** 0: incomplete; 1: complete; otherwise the negative status of a refusal. */
export type FieldsResult = number;

/**
 * Header lines, common to requests and responses. One instance is reused for every head; subclasses look at the headers
 * that only they care about. See `HeadFields` for what the fields mean.
 */
export class HeaderLines implements HeadFields {
  count = 0;
  readonly nameStart: Int32Array;
  readonly nameEnd: Int32Array;
  readonly valueStart: Int32Array;
  readonly valueEnd: Int32Array;
  readonly dropped: Uint8Array;
  start = 0;
  fieldsStart = 0;
  end = 0;
  minor = 1;
  contentLength = -1;
  chunked = false;
  close = false;
  keepAlive = false;
  upgrade = false;
  reason = '';
  #upgradeSeen = false;
  #upgradeIndex = -1;
  #connectionUpgrade = false;
  #nominates = false;
  readonly #maxHeaders: number;

  constructor(maxHeaders: number) {
    this.#maxHeaders = maxHeaders;
    this.nameStart = new Int32Array(maxHeaders);
    this.nameEnd = new Int32Array(maxHeaders);
    this.valueStart = new Int32Array(maxHeaders);
    this.valueEnd = new Int32Array(maxHeaders);
    this.dropped = new Uint8Array(maxHeaders);
  }

  protected resetFields(start: number): void {
    this.count = 0;
    this.start = start;
    this.minor = 1;
    this.contentLength = -1;
    this.chunked = false;
    this.close = false;
    this.keepAlive = false;
    this.upgrade = false;
    this.reason = '';
    this.#upgradeSeen = false;
    this.#upgradeIndex = -1;
    this.#connectionUpgrade = false;
    this.#nominates = false;
  }

  protected refuse(status: number, reason: string): FieldsResult {
    this.reason = reason;
    return -status;
  }

  /** Called for a header that is not handled here. Negative: refused. */
  protected special(_bytes: Buffer, _index: number, _length: number): FieldsResult {
    return 1;
  }

  protected parseFields(bytes: Buffer, from: number, end: number): FieldsResult {
    this.fieldsStart = from;
    let at = from;
    for (;;) {
      if (at >= end) return 0;
      if (bytes[at] === 13) {
        if (at + 1 >= end) return 0;
        if (bytes[at + 1] !== 10) return this.refuse(400, 'a carriage return without a line feed');
        this.end = at + 2;
        return this.#finish(bytes);
      }
      const nameStart = at;
      while (at < end && isToken[bytes[at] ?? 0] === 1) at += 1;
      if (at >= end) return 0;
      if (bytes[at] !== 58 || at === nameStart) return this.refuse(400, 'a header line without a valid name and colon');
      const nameEnd = at;
      at += 1;
      while (at < end && (bytes[at] === 32 || bytes[at] === 9)) at += 1;
      const valueStart = at;
      while (at < end && isFieldValue[bytes[at] ?? 0] === 1) at += 1;
      if (at >= end) return 0;
      if (bytes[at] !== 13) return this.refuse(400, 'a control character in a header value');
      if (at + 1 >= end) return 0;
      if (bytes[at + 1] !== 10) return this.refuse(400, 'a carriage return without a line feed');
      let valueEnd = at;
      while (valueEnd > valueStart && isBlank(bytes[valueEnd - 1])) valueEnd -= 1;
      at += 2;
      if (this.count >= this.#maxHeaders) return this.refuse(431, `more than ${this.#maxHeaders} headers`);
      const result = this.#add(bytes, nameStart, nameEnd, valueStart, valueEnd);
      if (result < 0) return result;
    }
  }

  #add(bytes: Buffer, nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): FieldsResult {
    const index = this.count;
    this.count = index + 1;
    this.nameStart[index] = nameStart;
    this.nameEnd[index] = nameEnd;
    this.valueStart[index] = valueStart;
    this.valueEnd[index] = valueEnd;
    this.dropped[index] = 0;
    const length = nameEnd - nameStart;
    switch (length) {
      case 7:
        if (equalsIgnoringCase(bytes, nameStart, word.upgrade)) return this.#seeUpgrade(bytes, index);
        break;
      case 10:
        if (equalsIgnoringCase(bytes, nameStart, word.connection)) return this.#seeConnection(bytes, index);
        if (equalsIgnoringCase(bytes, nameStart, word.keepAlive)) this.dropped[index] = 1;
        break;
      case 14:
        if (equalsIgnoringCase(bytes, nameStart, word.contentLength))
          return this.#seeLength(bytes, valueStart, valueEnd);
        break;
      case 16:
        if (equalsIgnoringCase(bytes, nameStart, word.proxyConnection)) this.dropped[index] = 1;
        break;
      case 17:
        if (equalsIgnoringCase(bytes, nameStart, word.transferEncoding))
          return this.#seeCoding(bytes, valueStart, valueEnd);
        break;
      case 2:
        if (equalsIgnoringCase(bytes, nameStart, word.te)) this.dropped[index] = 1;
        break;
    }
    return this.special(bytes, index, length);
  }

  #seeLength(bytes: Buffer, from: number, to: number): FieldsResult {
    if (this.contentLength >= 0) return this.refuse(400, 'more than one Content-Length');
    if (from === to || to - from > maxLengthDigits) return this.refuse(400, 'an invalid Content-Length');
    let length = 0;
    for (let at = from; at < to; at += 1) {
      const digit = (bytes[at] ?? 0) - 48;
      if (digit < 0 || digit > 9) return this.refuse(400, 'an invalid Content-Length');
      length = length * 10 + digit;
    }
    this.contentLength = length;
    return 1;
  }

  #seeCoding(bytes: Buffer, from: number, to: number): FieldsResult {
    if (this.chunked) return this.refuse(400, 'more than one Transfer-Encoding');
    if (to - from !== word.chunked.length || !equalsIgnoringCase(bytes, from, word.chunked)) {
      return this.refuse(501, 'a Transfer-Encoding other than chunked');
    }
    this.chunked = true;
    return 1;
  }

  #seeUpgrade(bytes: Buffer, index: number): FieldsResult {
    this.dropped[index] = 1;
    if (this.#upgradeSeen) return this.refuse(400, 'more than one Upgrade');
    this.#upgradeSeen = true;
    this.#upgradeIndex = index;
    // h2c would take the connection out of our sight after the upgrade; without the header it stays HTTP/1.1.
    const value = bytes.toString('latin1', this.valueStart[index], this.valueEnd[index]).toLowerCase();
    if (value.split(',').some((protocol) => protocol.trim() === 'h2c')) this.#upgradeIndex = -1;
    return 1;
  }

  #seeConnection(bytes: Buffer, index: number): FieldsResult {
    this.dropped[index] = 1;
    const end = this.valueEnd[index] ?? 0;
    let at = this.valueStart[index] ?? 0;
    while (at < end) {
      while (at < end && (bytes[at] === 44 || isBlank(bytes[at]))) at += 1;
      const from = at;
      while (at < end && bytes[at] !== 44 && !isBlank(bytes[at])) at += 1;
      this.#option(bytes, from, at - from);
    }
    return 1;
  }

  #option(bytes: Buffer, from: number, length: number): void {
    if (length === 5 && equalsIgnoringCase(bytes, from, word.close)) this.close = true;
    else if (length === 10 && equalsIgnoringCase(bytes, from, word.keepAlive)) this.keepAlive = true;
    else if (length === 7 && equalsIgnoringCase(bytes, from, word.upgrade)) this.#connectionUpgrade = true;
    else if (length > 0) this.#nominates = true;
  }

  #finish(bytes: Buffer): FieldsResult {
    // RFC 9112 section 9.3: close wins over keep-alive, in HTTP/1.0 too.
    if (this.close) this.keepAlive = false;
    if (this.#nominates) this.#dropNominated(bytes);
    if (this.#upgradeIndex >= 0 && this.#connectionUpgrade) {
      this.upgrade = true;
      this.dropped[this.#upgradeIndex] = 0;
    }
    if (this.chunked && this.contentLength >= 0) {
      return this.refuse(400, 'both Content-Length and Transfer-Encoding');
    }
    if (this.chunked && this.minor === 0) return this.refuse(400, 'Transfer-Encoding in HTTP/1.0');
    return 1;
  }

  /** Rare: headers that `Connection` names besides the well-known ones are for this hop only. */
  #dropNominated(bytes: Buffer): void {
    const nominated = new Set<string>();
    for (let index = 0; index < this.count; index += 1) {
      if (this.#name(bytes, index) !== 'connection') continue;
      for (const option of bytes.toString('latin1', this.valueStart[index], this.valueEnd[index]).split(',')) {
        const name = option.trim().toLowerCase();
        if (!neverNominated.has(name)) nominated.add(name);
      }
    }
    for (let index = 0; index < this.count; index += 1) {
      if (nominated.has(this.#name(bytes, index))) this.dropped[index] = 1;
    }
  }

  #name(bytes: Buffer, index: number): string {
    return bytes.toString('latin1', this.nameStart[index], this.nameEnd[index]).toLowerCase();
  }
}

export function isBlank(octet: number | undefined): boolean {
  return octet === 32 || octet === 9;
}

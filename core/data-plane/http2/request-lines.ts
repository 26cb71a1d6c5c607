import { randomBytes } from 'node:crypto';
import { maxHeadBytes, type RequestHead } from '../http/codec.ts';
import { equalsIgnoringCase, isHost, isTarget, isToken, toOctets } from '../http/octets.ts';
import { HeadLines } from './head-lines.ts';
import { fieldKind } from './static-table.ts';

const maxMethodBytes = 32;
const hostName = Buffer.from('host: ');
const upgradeName = Buffer.from('upgrade: ');
const keyName = Buffer.from('sec-websocket-key: ');
const getMethod = Buffer.from('GET');
const startLineEnd = Buffer.from(' HTTP/1.1\r\n');
const word = {
  connect: toOctets('connect'),
  options: toOctets('options'),
  http: toOctets('http'),
  https: toOctets('https'),
  continue: toOctets('100-continue'),
  websocket: toOctets('websocket'),
  h2c: toOctets('h2c'),
  key: toOctets('sec-websocket-key'),
};

/**
 * A request's block as the canonical head, RFC 9113 section 8.3.1: `:method` and `:path` become the request line, `:authority`
 * the Host header. What the HTTP/1.1 codec would refuse is malformed.
 */
export class RequestLines extends HeadLines implements RequestHead {
  methodEnd = 0;
  targetStart = 0;
  targetEnd = 0;
  hostIndex = -1;
  hasRequestId = false;
  hasGrpcTimeout = false;
  expectContinue = false;
  teTrailers = false;
  /** Request is CONNECT: its target is an authority, there is no path. */
  isConnect = false;
  isHead = false;
  isHttps = false;
  #method = -1;
  #methodLength = 0;
  #path = -1;
  #pathLength = 0;
  #authority = -1;
  #authorityLength = 0;
  #scheme = -1;
  #protocol = -1;
  #protocolLength = 0;

  constructor() {
    super(maxHeadBytes);
  }

  override reset(): void {
    super.reset();
    this.hostIndex = -1;
    this.hasRequestId = false;
    this.hasGrpcTimeout = false;
    this.expectContinue = false;
    this.teTrailers = false;
    this.isConnect = false;
    this.isHead = false;
    this.isHttps = false;
    this.#method = -1;
    this.#path = -1;
    this.#authority = -1;
    this.#scheme = -1;
    this.#protocol = -1;
  }

  protected override takePseudo(bytes: Buffer, start: number, length: number, kind: number): void {
    const at = this.end;
    bytes.copy(this.bytes, at, start, start + length);
    this.end = at + length;
    switch (kind) {
      case fieldKind.method:
        if (this.#method >= 0) break;
        this.#method = at;
        this.#methodLength = length;
        this.#checkMethod(at, length);
        return;
      case fieldKind.path:
        if (this.#path >= 0) break;
        this.#path = at;
        this.#pathLength = length;
        return;
      case fieldKind.authority:
        if (this.#authority >= 0) break;
        this.#authority = at;
        this.#authorityLength = length;
        if (length === 0 || !isAll(this.bytes, at, length, isHost)) this.malformed = 'an invalid :authority';
        return;
      case fieldKind.scheme:
        if (this.#scheme >= 0) break;
        this.#scheme = at;
        this.isHttps = length === 5 && equalsIgnoringCase(this.bytes, at, word.https);
        if (!this.isHttps && !(length === 4 && equalsIgnoringCase(this.bytes, at, word.http))) {
          this.malformed = 'a :scheme other than http and https';
        }
        return;
      case fieldKind.protocol:
        if (this.#protocol >= 0) break;
        this.#protocol = at;
        this.#protocolLength = length;
        // h2c would take the tunnel's requests out of our sight, as in HTTP/1.1.
        if (length === 0 || !isAll(this.bytes, at, length, isToken) || this.#isHttp2(at, length)) {
          this.malformed = 'an invalid :protocol';
        }
        return;
      default:
        this.malformed = 'a pseudo-header field that a request does not have';
        return;
    }
    this.malformed = 'the same pseudo-header field twice';
  }

  #isHttp2(at: number, length: number): boolean {
    return length === word.h2c.length && equalsIgnoringCase(this.bytes, at, word.h2c);
  }

  #checkMethod(at: number, length: number): void {
    if (length === 0 || length > maxMethodBytes || !isAll(this.bytes, at, length, isToken)) {
      this.malformed = 'an invalid :method';
    }
    this.isConnect = length === 7 && this.bytes.toString('latin1', at, at + length) === 'CONNECT';
    this.isHead = length === 4 && this.bytes.toString('latin1', at, at + length) === 'HEAD';
  }

  protected override writeStart(): void {
    if (this.#protocol >= 0) this.#beginUpgrade();
    if (this.malformed !== '') return;
    if (this.#method < 0) this.malformed = 'no :method';
    else if (this.isConnect) this.#checkConnect();
    else if (this.#scheme < 0) this.malformed = 'no :scheme';
    else if (!this.#isPathValid()) this.malformed = 'an invalid :path';
    if (this.malformed !== '') return;
    const { bytes } = this;
    const target = this.isConnect ? this.#authority : this.#path;
    const targetLength = this.isConnect ? this.#authorityLength : this.#pathLength;
    let at = this.start;
    bytes.copyWithin(at, this.#method, this.#method + this.#methodLength);
    at += this.#methodLength;
    this.methodEnd = at;
    bytes[at] = 32;
    at += 1;
    this.targetStart = at;
    bytes.copyWithin(at, target, target + targetLength);
    at += targetLength;
    this.targetEnd = at;
    at += startLineEnd.copy(bytes, at);
    this.fieldsStart = at;
    this.end = at;
    if (this.#authority >= 0) this.hostIndex = this.composeLine(hostName, this.#authority, this.#authorityLength);
    if (this.upgrade) this.composeLine(upgradeName, this.#protocol, this.#protocolLength);
  }

  /** RFC 8441 section 4: what HTTP/1.1 asks with GET and Upgrade. */
  #beginUpgrade(): void {
    if (!this.isConnect || this.#authority < 0) {
      this.malformed = 'a :protocol without CONNECT and :authority';
      return;
    }
    this.isConnect = false;
    this.upgrade = true;
    this.#method = this.end;
    this.#methodLength = getMethod.copy(this.bytes, this.end);
    this.end += getMethod.length;
    this.start = this.end;
  }

  /** RFC 9113 section 8.5. */
  #checkConnect(): void {
    if (this.#scheme >= 0 || this.#path >= 0 || this.#authority < 0) {
      this.malformed = 'a CONNECT with more or less than :method and :authority';
    }
  }

  #isPathValid(): boolean {
    const at = this.#path;
    const length = this.#pathLength;
    if (at < 0 || length === 0 || !isAll(this.bytes, at, length, isTarget)) return false;
    if (this.bytes[at] === 47) return true;
    const isOptions = this.#methodLength === 7 && equalsIgnoringCase(this.bytes, this.#method, word.options);
    return isOptions && length === 1 && this.bytes[at] === 42;
  }

  protected override takeOther(index: number, kind: number): void {
    const from = this.valueStart[index] ?? 0;
    const length = (this.valueEnd[index] ?? 0) - from;
    switch (kind) {
      case fieldKind.te:
        this.teTrailers = true;
        return;
      case fieldKind.host:
        this.#takeHost(index, from, length);
        return;
      case fieldKind.requestId:
        this.hasRequestId = true;
        return;
      case fieldKind.grpcTimeout:
        this.hasGrpcTimeout = true;
        return;
      case fieldKind.expect:
        this.expectContinue = length === word.continue.length && equalsIgnoringCase(this.bytes, from, word.continue);
        if (!this.expectContinue) this.malformed = 'an expect other than 100-continue';
        return;
    }
  }

  /** RFC 9113 section 8.3.1: a Host that names another authority than `:authority` makes two parties disagree. */
  #takeHost(index: number, from: number, length: number): void {
    if (this.hostIndex < 0) {
      if (!isAll(this.bytes, from, length, isHost)) this.malformed = 'an invalid host';
      this.hostIndex = index;
      return;
    }
    this.dropped[index] = 1;
    const known = this.valueStart[this.hostIndex] ?? 0;
    const isSame =
      length === (this.valueEnd[this.hostIndex] ?? 0) - known &&
      this.bytes.compare(this.bytes, known, known + length, from, from + length) === 0;
    if (!isSame) this.malformed = 'a host that is not the :authority';
  }

  protected override finishFields(): void {
    if (this.hostIndex < 0) this.malformed = 'neither :authority nor host';
    else if (this.upgrade && this.#wantsKey()) this.#addKey();
  }

  #wantsKey(): boolean {
    const { bytes, count, nameStart, nameEnd } = this;
    const length = this.#protocolLength;
    if (length !== word.websocket.length || !equalsIgnoringCase(bytes, this.#protocol, word.websocket)) return false;
    for (let index = 0; index < count; index += 1) {
      const at = nameStart[index] ?? 0;
      if ((nameEnd[index] ?? 0) - at === word.key.length && equalsIgnoringCase(bytes, at, word.key)) return false;
    }
    return true;
  }

  /** RFC 8441 section 5: HTTP/2 goes without the key that a server of HTTP/1.1 insists on. */
  #addKey(): void {
    const key = randomBytes(16).toString('base64');
    // Behind the line that it becomes a part of.
    const at = this.end + 64;
    this.bytes.write(key, at, 'latin1');
    if (this.isFull) this.tooLarge = true;
    else this.composeLine(keyName, at, key.length);
  }
}

function isAll(bytes: Buffer, start: number, length: number, allowed: Uint8Array): boolean {
  for (let at = start; at < start + length; at += 1) if (allowed[bytes[at] ?? 0] !== 1) return false;
  return true;
}

import { maxHeadBytes, maxTrailerBytes, type ResponseHead } from '../http/codec.ts';
import { equalsIgnoringCase, toOctets } from '../http/octets.ts';
import { HeadLines } from './head-lines.ts';
import { fieldKind } from './static-table.ts';

const startLine = Buffer.from('HTTP/1.1 ');
const startLineEnd = Buffer.from(' \r\n');
/** RFC 9110 section 6.5.1: too late in trailers; whoever took it from there would read another message than we did. */
const neverTrailers = ['content-length', 'host', 'te', 'trailer', 'expect', 'authorization'].map(toOctets);

/** A response's block as the canonical head, RFC 9113 section 8.3.2. */
export class ResponseLines extends HeadLines implements ResponseHead {
  status = 0;
  readonly keepAliveSeconds = -1;

  constructor() {
    super(maxHeadBytes);
  }

  override reset(): void {
    super.reset();
    this.status = 0;
  }

  protected override takePseudo(bytes: Buffer, start: number, length: number, kind: number): void {
    if (kind !== fieldKind.status) this.malformed = 'a pseudo-header field that a response does not have';
    else if (this.status !== 0) this.malformed = 'the same pseudo-header field twice';
    else if (length !== 3) this.malformed = 'an invalid :status';
    if (this.malformed !== '') return;
    for (let at = start; at < start + 3; at += 1) {
      const digit = (bytes[at] ?? 0) - 48;
      if (digit < 0 || digit > 9) this.malformed = 'an invalid :status';
      this.status = this.status * 10 + digit;
    }
    if (this.status < 100) this.malformed = 'an invalid :status';
    // RFC 9113 section 8.6: there is no switching of protocols in HTTP/2.
    if (this.status === 101) this.malformed = 'a :status of 101';
  }

  protected override writeStart(): void {
    if (this.status === 0) {
      this.malformed = 'no :status';
      return;
    }
    let at = this.start + startLine.copy(this.bytes, this.start);
    this.bytes[at] = 48 + Math.floor(this.status / 100);
    this.bytes[at + 1] = 48 + (Math.floor(this.status / 10) % 10);
    this.bytes[at + 2] = 48 + (this.status % 10);
    at += 3;
    at += startLineEnd.copy(this.bytes, at);
    this.fieldsStart = at;
    this.end = at;
  }
}

/** Fields after the content: lines only, no start line. */
export class TrailerLines extends HeadLines {
  constructor() {
    super(maxTrailerBytes);
  }

  protected override takePseudo(): void {
    this.malformed = 'a pseudo-header field in trailers';
  }

  protected override writeStart(): void {
    this.fieldsStart = this.end;
  }

  protected override finishFields(): void {
    for (let index = 0; index < this.count; index += 1) {
      const start = this.nameStart[index] ?? 0;
      const length = (this.nameEnd[index] ?? 0) - start;
      if (neverTrailers.some((word) => word.length === length && equalsIgnoringCase(this.bytes, start, word))) {
        this.malformed = 'a trailer that frames or addresses the message';
      }
    }
  }
}

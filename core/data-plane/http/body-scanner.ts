import { type BodyKind, type BodyScanner, maxTrailerBytes } from './codec.ts';
import { isFieldValue, isForbiddenTrailer, isToken } from './octets.ts';

const maxSizeDigits = 12;
const maxExtensionBytes = 1024;

const state = {
  sizeFirst: 0,
  size: 1,
  extension: 2,
  sizeLf: 3,
  data: 4,
  dataCr: 5,
  dataLf: 6,
  trailerStart: 7,
  trailerName: 8,
  trailerValue: 9,
  trailerLf: 10,
  finalLf: 11,
} as const;

const longestName = 17;

/** See `BodyScanner` in codec.ts. Chunked coding: RFC 9112 section 7.1, without blanks around the size. */
class Scanner implements BodyScanner {
  done = true;
  readonly spans: number[] = [];
  spanCount = 0;
  trailers: Buffer | null = null;
  #kind: BodyKind = 'none';
  #decode = false;
  #state: number = state.sizeFirst;
  /** Bytes left of the body (length) or of the chunk (chunked). */
  #left = 0;
  /** Digits of the size, bytes of the extension, or bytes of the trailers so far. */
  #counted = 0;
  /** The trailer's name as far as it could be a forbidden one. */
  readonly #name = new Uint8Array(longestName);
  #nameLength = 0;
  /** Decoding: octets of the trailers, which are no data. */
  #trailerOctets: number[] | null = null;

  begin(kind: BodyKind, length: number, decode: boolean): void {
    this.#kind = kind;
    this.#decode = decode;
    this.#state = state.sizeFirst;
    this.#left = kind === 'length' ? length : 0;
    this.#counted = 0;
    this.spanCount = 0;
    this.trailers = null;
    this.#trailerOctets = null;
    this.done = kind === 'none' || (kind === 'length' && length === 0);
  }

  scan(bytes: Buffer, start: number, end: number): number {
    this.spanCount = 0;
    if (this.done) return start;
    if (this.#kind === 'chunked') return this.#scanChunked(bytes, start, end);
    let to = end;
    if (this.#kind === 'length') {
      to = Math.min(end, start + this.#left);
      this.#left -= to - start;
      this.done = this.#left === 0;
    }
    this.#keep(start, to);
    return to;
  }

  #keep(from: number, to: number): void {
    if (to <= from) return;
    const last = this.spanCount - 1;
    if (last > 0 && this.spans[last] === from) {
      this.spans[last] = to;
      return;
    }
    this.spans[this.spanCount] = from;
    this.spans[this.spanCount + 1] = to;
    this.spanCount += 2;
  }

  #scanChunked(bytes: Buffer, start: number, end: number): number {
    let at = start;
    while (at < end && !this.done) {
      if (this.#state === state.data) {
        const to = Math.min(end, at + this.#left);
        this.#keep(at, to);
        this.#left -= to - at;
        at = to;
        if (this.#left === 0) this.#state = state.dataCr;
        continue;
      }
      const octet = bytes[at] ?? 0;
      if (this.#decode && this.#state >= state.trailerStart) this.#collect(octet);
      if (!this.#step(octet)) return -1;
      // An extension is for this hop only; the CR that ends it belongs to the size line again.
      if (!this.#decode && this.#state !== state.extension) this.#keep(at, at + 1);
      at += 1;
    }
    return at;
  }

  /** One octet of the coding (not of the data). False: broken. */
  #step(octet: number): boolean {
    switch (this.#state) {
      case state.sizeFirst:
      case state.size:
        return this.#stepSize(octet);
      case state.extension:
        if (octet === 13) this.#state = state.sizeLf;
        else if (isFieldValue[octet] !== 1 || this.#count() > maxExtensionBytes) return false;
        return true;
      case state.sizeLf:
        this.#counted = 0;
        this.#state = this.#left === 0 ? state.trailerStart : state.data;
        return octet === 10;
      case state.dataCr:
        this.#state = state.dataLf;
        return octet === 13;
      case state.dataLf:
        this.#state = state.sizeFirst;
        return octet === 10;
      default:
        return this.#stepTrailer(octet);
    }
  }

  #stepSize(octet: number): boolean {
    const digit = hexDigit(octet);
    if (digit >= 0) {
      this.#left = this.#left * 16 + digit;
      this.#state = state.size;
      return this.#count() <= maxSizeDigits;
    }
    if (this.#state === state.sizeFirst) return false;
    this.#counted = 0;
    this.#state = octet === 13 ? state.sizeLf : state.extension;
    return octet === 13 || octet === 59;
  }

  #stepTrailer(octet: number): boolean {
    switch (this.#state) {
      case state.trailerStart:
        this.#state = octet === 13 ? state.finalLf : state.trailerName;
        this.#nameLength = 0;
        return octet === 13 || this.#stepName(octet);
      case state.trailerName:
        if (octet !== 58) return this.#stepName(octet);
        this.#state = state.trailerValue;
        return !this.#isForbidden() && this.#count() <= maxTrailerBytes;
      case state.trailerValue:
        if (octet === 13) this.#state = state.trailerLf;
        return (octet === 13 || isFieldValue[octet] === 1) && this.#count() <= maxTrailerBytes;
      case state.trailerLf:
        this.#state = state.trailerStart;
        return octet === 10;
      default:
        this.done = octet === 10;
        // The empty line alone is no trailers.
        if (this.#trailerOctets !== null && this.#trailerOctets.length > 2)
          this.trailers = Buffer.from(this.#trailerOctets);
        return this.done;
    }
  }

  #stepName(octet: number): boolean {
    // Longer names are told apart by their length alone.
    if (this.#nameLength < longestName) this.#name[this.#nameLength] = octet;
    this.#nameLength += 1;
    return isToken[octet] === 1 && this.#count() <= maxTrailerBytes;
  }

  #isForbidden(): boolean {
    return isForbiddenTrailer(this.#name, 0, this.#nameLength);
  }

  #collect(octet: number): void {
    this.#trailerOctets ??= [];
    this.#trailerOctets.push(octet);
  }

  #count(): number {
    this.#counted += 1;
    return this.#counted;
  }
}

function hexDigit(octet: number): number {
  if (octet >= 48 && octet <= 57) return octet - 48;
  const lower = octet | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

export function createBodyScanner(): BodyScanner {
  return new Scanner();
}

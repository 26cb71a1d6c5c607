/**
 * The codec's interface: bytes in, head spans and body framing out. No sockets, no strings unless asked for, no
 * allocation per message. A transport below (public sockets, raw handles, a multiplexed connection) hands in whatever
 * buffer it has read; positions are indexes into that buffer and hold until the next call.
 *
 * Strict by rule, so that no two parties can disagree on where a message ends (RFC 9112, request smuggling): what is
 * ambiguous is refused, never repaired and passed on.
 */

/** Bytes of a head, start line to empty line. More is refused with 431 (request) or 502 (response). */
export const maxHeadBytes = 64 * 1024;
export const maxHeaders = 128;

/** What a parser takes of one head. */
export interface HeadLimits {
  readonly bytes: number;
  readonly headers: number;
}

/**
 * Every hop adds lines of its own to a head that may be as large as a client's may, so that later hops take more: a head whose
 * headers a route has changed, and one that another sidecar has sent on.
 */
export const headLimits = {
  client: { bytes: maxHeadBytes, headers: maxHeaders },
  edited: { bytes: maxHeadBytes + 4 * 1024, headers: maxHeaders + 32 },
  mesh: { bytes: maxHeadBytes + 8 * 1024, headers: maxHeaders + 64 },
} as const satisfies Readonly<Record<string, HeadLimits>>;

/** Bytes of all trailers of one message. */
export const maxTrailerBytes = 16 * 1024;

/** Header lines of the head parsed last. Index i is a line: name, value, and what to do with the line. */
export interface HeadFields {
  readonly count: number;
  readonly nameStart: Int32Array;
  readonly nameEnd: Int32Array;
  readonly valueStart: Int32Array;
  readonly valueEnd: Int32Array;
  /** 1: hop-by-hop (or nominated by `Connection`), must not be forwarded. */
  readonly dropped: Uint8Array;
  /** Where the first header line starts; the start line is before it. */
  readonly fieldsStart: number;
  /** After the empty line. */
  readonly end: number;
  /** 0 or 1: HTTP/1.x. */
  readonly minor: number;
  /** -1: no Content-Length. */
  readonly contentLength: number;
  readonly chunked: boolean;
  /** `Connection: close`, `keep-alive`, `upgrade`. */
  readonly close: boolean;
  readonly keepAlive: boolean;
  /** An `Upgrade` that `Connection` nominates and that is not `h2c`; its header is kept. */
  readonly upgrade: boolean;
}

export interface RequestHead extends HeadFields {
  readonly start: number;
  readonly methodEnd: number;
  readonly targetStart: number;
  readonly targetEnd: number;
  /** Index of the header, -1 when absent (HTTP/1.0). */
  readonly hostIndex: number;
  readonly hasRequestId: boolean;
  /** There is a `grpc-timeout`, whatever the request is. */
  readonly hasGrpcTimeout: boolean;
  readonly expectContinue: boolean;
  /** `TE: trailers`; the header itself is dropped. */
  readonly teTrailers: boolean;
}

export interface ResponseHead extends HeadFields {
  readonly start: number;
  readonly status: number;
  /** `Keep-Alive: timeout=N`, seconds; -1 when absent. */
  readonly keepAliveSeconds: number;
}

/** Why a head was refused, as the status that says so to a client. */
export interface HeadRefusal {
  readonly status: number;
  readonly reason: string;
}

/** `incomplete`: call again with more bytes from the same start. */
export type HeadResult = 'complete' | 'incomplete' | 'refused';

export interface HttpCodec {
  /** Valid after `complete`, until the next parse. */
  readonly request: RequestHead;
  readonly response: ResponseHead;
  readonly refusal: HeadRefusal;
  parseRequest(bytes: Buffer, start: number, end: number): HeadResult;
  parseResponse(bytes: Buffer, start: number, end: number): HeadResult;
  /** Field lines with the empty line that ends them: the trailers of a body in form `plain`. `null`: not fit to be sent on. */
  parseTrailers(bytes: Buffer, start: number, end: number): HeadFields | null;
}

export type BodyKind = 'none' | 'length' | 'chunked' | 'until-close';

/**
 * Finds the end of a body. `scan` looks at bytes and says which spans of them go on: all of them for a plain body,
 * chunk extensions left out for a chunked one, only the data when `decode` was asked for.
 */
export interface BodyScanner {
  readonly done: boolean;
  /** Spans to forward after `scan`: start and end alternate; `spanCount` numbers are valid. */
  readonly spans: readonly number[];
  readonly spanCount: number;
  /** Decoding, once done: the field lines behind the last chunk with the empty line that ends them; `null` without any. */
  readonly trailers: Buffer | null;
  /** Starts a new body. `length` counts for `length` only. */
  begin(kind: BodyKind, length: number, decode: boolean): void;
  /** Index after the last byte that belongs to this body, or -1 when the chunked coding is broken. */
  scan(bytes: Buffer, start: number, end: number): number;
}

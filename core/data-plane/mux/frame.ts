/**
 * The sidecar-to-sidecar transport: many requests over one TLS connection, as frames. docs/mux.md has the protocol byte
 * by byte.
 *
 *   frame     8 bytes of header (type and flags, payload length, stream), then the payload
 *   session   one connection; the client side opens streams, the server side answers them
 *   stream    one request and its answer, or a byte pipe after a switch of protocols
 *   window    body bytes that the other side may still send on a stream
 *
 * This file: the numbers on the wire. Nothing here keeps state, and no frame says anything that must be trusted: heads
 * are parsed again by the HTTP codec, lengths are checked against limits.ts before anything is stored.
 */

export const headerBytes = 8;

/** Types from `firstOptional` on may be skipped by those who do not know them; an unknown one below ends the session. */
export const frameType = {
  settings: 0,
  head: 1,
  data: 2,
  trailers: 3,
  window: 4,
  reset: 5,
  goAway: 6,
  ping: 7,
} as const;
export const firstOptionalType = 16;
export const typeMask = 0x1f;

/** Upper three bits of the type's octet. */
export const flag = {
  /** HEAD, DATA, TRAILERS: the sender sends no more on this stream. */
  fin: 0x80,
  /** PING: the answer to one. */
  ack: 0x40,
} as const;

/**
 * Why a stream or a session ended early. `refused`: nothing of it was processed, it may be repeated elsewhere. `lost`: a
 * connection that the message needs broke, this one or the one beyond it. `none` (GOAWAY only): a drain.
 */
export const errorCodes = [
  'none',
  'cancelled',
  'refused',
  'protocol',
  'flow-control',
  'overload',
  'internal',
  'lost',
  'timeout',
] as const;
export type MuxErrorCode = (typeof errorCodes)[number];

export function toErrorNumber(code: MuxErrorCode): number {
  return errorCodes.indexOf(code);
}

/** A code of a later version counts as an error inside the peer. */
export function toErrorCode(code: number): MuxErrorCode {
  return errorCodes[code] ?? 'internal';
}

/** The session or the stream broke a rule; `message` names it. */
export class MuxError extends Error {
  override readonly name = 'MuxError';
  readonly code: MuxErrorCode;
  constructor(code: MuxErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** How the body after a head is coded on the stream. */
export const bodyCoding = {
  /** There is none. */
  none: 0,
  /** As the head says: Content-Length bytes, or HTTP/1.1 chunks as they are. */
  asHead: 1,
  /** Plain data up to FIN; trailers, if any, in a TRAILERS frame (a body that came over HTTP/2). */
  plain: 2,
} as const;
export type BodyCoding = (typeof bodyCoding)[keyof typeof bodyCoding];

/** What HEAD says besides the head's bytes. */
export interface HeadInfo {
  readonly body: BodyCoding;
  /** 1xx other than 101: another head follows. */
  readonly interim: boolean;
  /** The message came over HTTP/2: what the answering side should speak to its application, if it can. */
  readonly http2: boolean;
}

/** HEAD's payload begins with one octet of info and the head's length in three; a body's first bytes may follow the head. */
export const headPreludeBytes = 4;

export function toInfoOctet({ body, interim, http2 }: HeadInfo): number {
  return body | (interim ? 4 : 0) | (http2 ? 8 : 0);
}

/** The same object for the same values, so that none is made per message. */
export function headInfo(body: BodyCoding, interim: boolean, http2: boolean): HeadInfo {
  return headInfos[body | (interim ? 4 : 0) | (http2 ? 8 : 0)] ?? { body, interim, http2 };
}

/** `null`: bits are set that this version does not know. */
export function toHeadInfo(octet: number): HeadInfo | null {
  return headInfos[octet] ?? null;
}

const headInfos: readonly (HeadInfo | null)[] = Array.from({ length: 16 }, (_, octet) => {
  const body = octet & 3;
  if (body > bodyCoding.plain) return null;
  return { body: body as BodyCoding, interim: (octet & 4) !== 0, http2: (octet & 8) !== 0 };
});

/** Writes a frame's header at `at` and returns the index after it. */
export function writeHeader(out: Buffer, at: number, type: number, length: number, stream: number): number {
  out[at] = type;
  out[at + 1] = length >>> 16;
  out[at + 2] = length >>> 8;
  out[at + 3] = length;
  return writeUint32(out, at + 4, stream);
}

export function writeUint32(out: Buffer, at: number, value: number): number {
  out[at] = value >>> 24;
  out[at + 1] = value >>> 16;
  out[at + 2] = value >>> 8;
  out[at + 3] = value;
  return at + 4;
}

export function readUint24(bytes: Buffer, at: number): number {
  return ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
}

export function readUint32(bytes: Buffer, at: number): number {
  return (((bytes[at] ?? 0) << 24) | readUint24(bytes, at + 1)) >>> 0;
}

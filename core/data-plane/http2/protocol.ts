/** Numbers of RFC 9113 and the limits of ours. */

export const frameType = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const flag = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

export const errorCode = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSizeError: 6,
  refusedStream: 7,
  cancel: 8,
  compressionError: 9,
  connectError: 10,
  enhanceYourCalm: 11,
  inadequateSecurity: 12,
  http11Required: 13,
} as const;

export const setting = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
  /** RFC 8441: CONNECT may name a protocol. */
  enableConnectProtocol: 8,
} as const;

export const frameHeaderBytes = 9;
/** What a client sends before its first frame. */
export const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
export const maxWindow = 2 ** 31 - 1;
/** Window of a stream and of a connection until SETTINGS or WINDOW_UPDATE say otherwise. */
export const defaultWindow = 65_535;
/** The largest frame that we take: the default, never raised. */
export const maxFrameBytes = 16_384;

/** Octets of a stream's content that a peer may send before the consumer has taken them. */
export const streamWindow = 256 * 1024;
export const connectionWindow = 4 * 1024 * 1024;
/** Content of all streams of a connection that waits for slow consumers; above it the connection's window stays shut. */
export const maxHeldBytes = 2 * 1024 * 1024;
/** Requests that a client may have open at a time, per connection. */
export const maxConcurrentStreams = 256;
/** Octets of a header block as it comes in, before decoding. */
export const maxBlockBytes = 80 * 1024;
/** CONTINUATION frames of one block: enough for `maxBlockBytes` in frames of default size, and some small ones. */
export const maxContinuations = 16;
/** What a stream keeps for a peer that is slower than the producer; above it `sendData` returns false. */
export const streamHighWaterBytes = 64 * 1024;

const namesOfErrors = Object.keys(errorCode);

/** Name of an error code as in the RFC's registry, for logs and tests. */
export function nameOfError(code: number): string {
  const name = namesOfErrors[code];
  return name === undefined ? `0x${code.toString(16)}` : name.replace(/[A-Z0-9]+/g, (part) => `_${part}`).toUpperCase();
}

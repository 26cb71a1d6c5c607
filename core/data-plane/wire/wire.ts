/**
 * One byte connection, as everything that speaks a protocol sees it: HTTP/1.1, HTTP/2, the multiplexed sidecar transport
 * and TCP all read and write wires, never sockets. Below a wire is either Node's own handle of the connection (fast) or the
 * public socket (the fall-back); both behave alike and pass the same suite.
 *
 *   dispatch  one call of `onBytes`; what is sent during it, to whichever wire, leaves at its end or earlier
 *   queued    sent, but not taken by the kernel yet
 *
 * A wire knows nothing of what the bytes mean, and it opens no connection.
 */

/** Who uses a wire for the moment. No callback runs inside a call to the wire itself, `destroy` and `reset` included. */
export interface WireOwner {
  /**
   * `bytes[start, end)` has arrived. The buffer is used again for the next read of any wire: copy what must outlive the call.
   * Not called while reading is paused.
   */
  onBytes(bytes: Buffer, start: number, end: number): void;
  /** The peer has sent its FIN (TLS: close_notify or FIN); the other direction lives on until `end` or `destroy`. */
  onEnd(): void;
  /** The queue has left after `send` or `commit` returned false. */
  onDrain(): void;
  /** Gone, called exactly once; nothing follows. `null` after both directions ended, or `destroy` without a reason. */
  onClose(error: Error | null): void;
}

export interface Wire {
  /** May be replaced at any time, by the owner only; takes effect with the next callback. */
  owner: WireOwner;
  readonly isTls: boolean;
  /** Bytes that were sent and wait for the kernel. */
  readonly queuedBytes: number;
  /** `send` returns false above this. Lower it where something urgent must be able to pass what is queued. */
  sendLimitBytes: number;
  /** False once `end`, `reset` or `destroy` was called or the connection is lost: what is sent then goes nowhere. */
  readonly writable: boolean;
  readonly closed: boolean;
  /** Takes a copy of `bytes[start, end)`, which may be used again at once. False: stop sending until `onDrain`. */
  send(bytes: Buffer, start: number, end: number): boolean;
  /**
   * Room to compose a message in place: at least `size` bytes of `output` from the returned index. Nothing else may be sent
   * or reserved before `commit`. At most `maxReserveBytes`.
   */
  reserve(size: number): number;
  /** The buffer that `reserve` gave room in. */
  readonly output: Buffer;
  /** `end` is the index after the last byte composed. Returns what `send` would. */
  commit(end: number): boolean;
  /** Hands what was sent to the kernel now. Only needed to make bytes leave before a dispatch ends. */
  flush(): void;
  pause(): void;
  resume(): void;
  /** FIN (TLS: close_notify, FIN) after everything that is queued. Reading goes on. */
  end(): void;
  /** RST, at once; what is queued is lost. Over TLS the connection below is reset. */
  reset(): void;
  /** Closes at once without an answer to what is in flight. `onClose` follows, asynchronously. */
  destroy(): void;
}

export const maxReserveBytes = 96 * 1024;
/** `sendLimitBytes` of a new wire. */
export const highWaterBytes = 256 * 1024;

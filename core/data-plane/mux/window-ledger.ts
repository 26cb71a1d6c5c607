import type { MuxErrorCode } from './frame.ts';
import type { MuxLimits } from './limits.ts';
import type { MuxStream } from './stream.ts';

/** What was received and not taken yet, over all streams of a session, and the windows that bound it. */
export class WindowLedger {
  readonly #limits: MuxLimits;
  #grownBytes = 0;
  bufferedBytes = 0;

  constructor(limits: MuxLimits) {
    this.#limits = limits;
  }

  begin(stream: MuxStream): void {
    stream.receiveWindow = this.#limits.initialWindowBytes;
    stream.windowTarget = this.#limits.initialWindowBytes;
  }

  /** Bytes have arrived; the code to reset the stream with, or `null` when all is well. */
  receive(stream: MuxStream, bytes: number): MuxErrorCode | null {
    stream.receiveWindow -= bytes;
    stream.unconsumed += bytes;
    this.bufferedBytes += bytes;
    if (stream.receiveWindow < 0) return 'flow-control';
    return this.bufferedBytes > this.#limits.maxBufferedBytes ? 'overload' : null;
  }

  /**
   * Bytes have been taken; how many more the peer may send, 0: not worth a frame yet. A consumer that has kept up with
   * half a window is given a larger one, as long as the session's bound allows it.
   */
  take(stream: MuxStream, bytes: number): number {
    const taken = Math.min(bytes, stream.unconsumed);
    stream.unconsumed -= taken;
    this.bufferedBytes -= taken;
    stream.unannounced += taken;
    if (stream.remoteDone || stream.unannounced * 2 < stream.windowTarget) return 0;
    const { maxWindowBytes, maxGrownBytes } = this.#limits;
    const larger = Math.min(stream.windowTarget * 2, maxWindowBytes) - stream.windowTarget;
    const grown = larger > 0 && stream.unconsumed === 0 && this.#grownBytes + larger <= maxGrownBytes ? larger : 0;
    this.#grownBytes += grown;
    stream.windowTarget += grown;
    const more = stream.unannounced + grown;
    stream.unannounced = 0;
    stream.receiveWindow += more;
    return more;
  }

  end(stream: MuxStream): void {
    this.bufferedBytes -= stream.unconsumed;
    this.#grownBytes -= stream.windowTarget - this.#limits.initialWindowBytes;
    stream.unconsumed = 0;
  }
}

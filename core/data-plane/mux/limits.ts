/** Who holds a certificate of the mesh may still attack: every number that a peer can drive up has a bound here. */
export interface MuxLimits {
  /** Streams open at once, as this side allows the other. */
  readonly maxStreams: number;
  /** Body bytes a peer may send on a new stream before this side asks for more. */
  readonly initialWindowBytes: number;
  /** A stream whose consumer keeps up is given more, up to this. */
  readonly maxWindowBytes: number;
  /** Windows may grow beyond their start by this much in all streams of a session together. */
  readonly maxGrownBytes: number;
  /** Received and not yet taken by consumers, all streams together; the stream that exceeds it is reset (`overload`). */
  readonly maxBufferedBytes: number;
  /** Payload of one frame, as this side accepts it. At least `minFrameBytes`. */
  readonly maxFrameBytes: number;
  /** Sent and not taken by the connection, bodies and heads together; more ends the session (`overload`). */
  readonly maxQueuedBytes: number;
  /** Resets the peer may send at once, and per second after that (rapid reset, CVE-2023-44487). */
  readonly resets: Rate;
  readonly pings: Rate;
  /** Frames without use: empty DATA, frames for streams that have ended, unknown optional frames. */
  readonly idleFrames: Rate;
  /** Nothing arrived for this long: PING. */
  readonly pingAfterMs: number;
  /** Nothing arrived for this long after a PING: the session is lost. */
  readonly pongWithinMs: number;
  /** The first frame must be complete within this time. */
  readonly settingsWithinMs: number;
}

export interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

/** A frame must be able to carry the largest head and the small body behind it. */
export const minFrameBytes = 96 * 1024;
/** A later version may announce more; nobody needs to believe more than this. */
export const largestFrameBytes = 1024 * 1024;
/** No window grows beyond this (31 bits in HTTP/2, for the same reason: sums must not overflow). */
export const largestWindowBytes = 0x7fff_ffff;

export const defaultLimits: MuxLimits = {
  maxStreams: 1_024,
  initialWindowBytes: 64 * 1024,
  maxWindowBytes: 256 * 1024,
  maxGrownBytes: 8 * 1024 * 1024,
  maxBufferedBytes: 16 * 1024 * 1024,
  maxFrameBytes: minFrameBytes,
  maxQueuedBytes: 32 * 1024 * 1024,
  resets: { burst: 2_048, perSecond: 512 },
  pings: { burst: 32, perSecond: 4 },
  idleFrames: { burst: 16_384, perSecond: 1_024 },
  pingAfterMs: 15_000,
  pongWithinMs: 10_000,
  settingsWithinMs: 10_000,
};

/** A token bucket. */
export class RateLimit {
  readonly #rate: Rate;
  #tokens: number;
  #atMs: number;

  constructor(rate: Rate, nowMs: number) {
    this.#rate = rate;
    this.#tokens = rate.burst;
    this.#atMs = nowMs;
  }

  /** False when there were too many. `nowMs` is asked for only when the burst is used up. */
  take(nowMs: () => number): boolean {
    if (this.#tokens < 1) {
      const now = nowMs();
      this.#tokens = Math.min(this.#rate.burst, this.#tokens + ((now - this.#atMs) / 1_000) * this.#rate.perSecond);
      this.#atMs = now;
      if (this.#tokens < 1) return false;
    }
    this.#tokens -= 1;
    return true;
  }
}

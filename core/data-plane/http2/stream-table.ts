import type { Http2Stream, ResetOrigin } from './stream.ts';

/** Streams that we have reset and whose frames may still be under way. */
const maxRemembered = 1_024;

/** What a stream id is, RFC 9113 section 5.1. `ours`: reset by us, so that what still arrives for it is no fault of the peer. */
export type StreamStanding = 'open' | 'idle' | 'ours' | 'closed';

export class StreamTable {
  readonly #streams = new Map<number, Http2Stream>();
  readonly #reset = new Set<number>();
  readonly #isServer: boolean;
  /** Up to this id everything is forgiven, as more was reset than is remembered. */
  #forgivenUpTo = 0;
  /** The highest stream that the peer has opened (server). */
  lastOpened = 0;
  /** The stream that we open next (client). */
  nextId = 1;

  constructor(isServer: boolean) {
    this.#isServer = isServer;
  }

  get size(): number {
    return this.#streams.size;
  }

  get(id: number): Http2Stream | undefined {
    return this.#streams.get(id);
  }

  add(stream: Http2Stream): void {
    this.#streams.set(stream.id, stream);
  }

  delete(id: number): void {
    this.#streams.delete(id);
  }

  all(): Http2Stream[] {
    return [...this.#streams.values()];
  }

  /** A stream ends without its owner's doing: it is forgotten, and its owner told. */
  lose(stream: Http2Stream, code: number, origin: ResetOrigin, unprocessed: boolean): void {
    const { owner } = stream;
    stream.owner = null;
    stream.drop();
    this.#streams.delete(stream.id);
    owner?.onReset(stream, code, origin, unprocessed);
  }

  /**
   * The peer has ended its side: requests in the middle are lost, and so is, while the wire takes what it is given, whatever
   * waits for a window that nobody opens any more.
   */
  loseStuck(code: number, isFlowing: boolean): void {
    for (const stream of this.all()) {
      if (!stream.remoteEnded || (isFlowing && stream.queuedBytes > 0)) this.lose(stream, code, 'connection', false);
    }
  }

  /** The connection is gone or going. */
  loseAll(code: number): void {
    for (const stream of this.all()) this.lose(stream, code, 'connection', false);
  }

  rememberReset(id: number): void {
    if (this.#reset.size >= maxRemembered) {
      for (const oldest of this.#reset) {
        this.#reset.delete(oldest);
        this.#forgivenUpTo = Math.max(this.#forgivenUpTo, oldest);
        break;
      }
    }
    this.#reset.add(id);
  }

  standing(id: number): StreamStanding {
    if (this.#streams.has(id)) return 'open';
    if (this.#isServer ? id % 2 === 0 || id > this.lastOpened : id % 2 === 0 || id >= this.nextId) return 'idle';
    return id <= this.#forgivenUpTo || this.#reset.has(id) ? 'ours' : 'closed';
  }
}

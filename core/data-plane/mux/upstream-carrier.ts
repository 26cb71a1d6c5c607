import type { Socket } from 'node:net';
import { meshAlpn } from '../../model/identity.ts';
import type { EdgeRecorder } from '../connection.ts';
import { headLimits } from '../http/codec.ts';
import { createHttpCodec } from '../http/head-parser.ts';
import type { ResponseSink, ServerStream, SessionOptions, UpstreamCarrier, UpstreamSession } from '../http/streams.ts';
import { ConnectionLife } from '../upstream/connection-life.ts';
import { openWire } from '../wire/open-wire.ts';
import type { WireOwner } from '../wire/wire.ts';
import { MuxServerStream } from './server-stream.ts';
import { MuxSession, type MuxSessionOwner } from './session.ts';
import type { MuxStream } from './stream.ts';

/** Without a request for this long the connection is closed. */
const idleCloseMs = 300_000;
const maxIdleStreams = 64;
const noOwner: WireOwner = {
  onBytes: () => undefined,
  onEnd: () => undefined,
  onDrain: () => undefined,
  onClose: () => undefined,
};

/** Requests to another sidecar as streams of one connection; below mesh TLS only. */
export const muxCarrier: UpstreamCarrier = {
  alpn: meshAlpn.mux,
  plaintext: null,
  shared: true,
  takesChunked: true,
  createSession: (socket, options) => new MuxUpstreamSession(socket, options),
};

const codec = createHttpCodec(headLimits.mesh);

/** One connection to another sidecar. */
export class MuxUpstreamSession implements UpstreamSession, MuxSessionOwner {
  readonly recorder: EdgeRecorder | null;
  readonly shared = true;
  readonly codec = codec;
  readonly #options: SessionOptions;
  readonly #session: MuxSession;
  /** Streams handed out whose head was not sent yet. */
  #reserved = 0;
  #used = false;
  #usedAtMs: number;
  readonly #life: ConnectionLife;
  #closeTold = false;
  /** Objects that serve no request; those that rest have served one in this callback and may still be on the stack. */
  readonly #idle: MuxServerStream[] = [];
  readonly #resting: MuxServerStream[] = [];
  #lingering: MuxStream[] = [];
  #lingeringLonger: MuxStream[] = [];

  constructor(socket: Socket, options: SessionOptions) {
    const { recorder, monotonicMs } = options;
    this.recorder = recorder;
    this.#options = options;
    this.#usedAtMs = monotonicMs();
    this.#life = new ConnectionLife(options.endpoint.pool, this.#usedAtMs, idleCloseMs);
    const wire = options.openWire?.(noOwner) ?? openWire(socket, noOwner);
    this.#session = new MuxSession(wire, { role: 'client', owner: this, monotonicMs });
    recorder?.connectionOpened();
  }

  get active(): number {
    return this.#session.openStreams + this.#reserved;
  }

  get available(): boolean {
    const { active } = this;
    const hasRoom = active < this.#session.peer.maxStreams && active < this.#life.maxStreams;
    return hasRoom && this.#life.requestsLeft > 0 && this.#session.available;
  }

  get usable(): boolean {
    return !this.#session.draining && !this.#session.closed;
  }

  open(sink: ResponseSink, protocol: 'http/1.1' | 'http/2'): ServerStream | null {
    if (!this.available) return null;
    const reused = this.#used;
    this.#used = true;
    this.#reserved += 1;
    this.#life.requestsLeft -= 1;
    const stream = this.#idle.pop() ?? new MuxServerStream(this);
    stream.begin(sink, reused, protocol === 'http/2');
    return stream;
  }

  retire(): void {
    this.#session.drain();
    this.#closeIfUseless();
  }

  destroy(): void {
    this.#session.close('cancelled');
    this.#session.wire.destroy();
  }

  tick(nowMs: number): void {
    this.#endLingering();
    this.#session.tick(nowMs);
    if (nowMs >= this.#life.ageLimitMs || (this.active === 0 && nowMs - this.#usedAtMs >= this.#life.idleMs))
      this.retire();
  }

  // --- for its streams ---------------------------------------------------------------------------------------------

  openStream(owner: MuxServerStream): MuxStream {
    return this.#session.open(owner);
  }

  /** The head of a stream that was handed out leaves now, or never will. */
  unreserve(leaves: boolean): void {
    this.#reserved -= 1;
    if (!leaves) queueMicrotask(() => this.onRoom());
  }

  // --- from the session --------------------------------------------------------------------------------------------

  onReady(): void {
    this.#options.onRoom(this);
  }

  /** `stream` has served its request. */
  rest(stream: MuxServerStream): void {
    this.#resting.push(stream);
  }

  #reuse(): void {
    for (let rested = this.#resting.pop(); rested !== undefined; rested = this.#resting.pop()) {
      const { remainder } = rested;
      if (remainder !== null) this.#lingering.push(remainder);
      if (this.#idle.length < maxIdleStreams) this.#idle.push(rested);
    }
  }

  /** Streams whose answer is complete and that the other side has not ended for a tick or two are ended by us. */
  #endLingering(): void {
    this.#reuse();
    for (const stream of this.#lingeringLonger) stream.reset('cancelled');
    this.#lingeringLonger = this.#lingering.filter(({ closed }) => !closed);
    this.#lingering = [];
  }

  onRoom(): void {
    this.#reuse();
    this.#usedAtMs = this.#options.monotonicMs();
    if (this.#life.requestsLeft <= 0 && this.active === 0) this.#session.drain();
    if (this.usable) this.#options.onRoom(this);
    else this.#closeIfUseless();
  }

  onStream(): never {
    throw new Error('a server opens no streams');
  }

  onDraining(): void {
    this.#closeIfUseless();
  }

  onClose(): void {
    this.#tellClosed();
  }

  #closeIfUseless(): void {
    if (!this.usable && this.active === 0) this.#tellClosed();
  }

  #tellClosed(): void {
    if (this.#closeTold) return;
    this.#closeTold = true;
    this.recorder?.connectionClosed();
    this.#options.onClosed(this);
  }
}

import type { Socket } from 'node:net';
import type { ConnectionHandler, DownstreamContext, EdgeRecorder } from '../connection.ts';
import { headLimits } from '../http/codec.ts';
import { createHttpCodec } from '../http/head-parser.ts';
import { IdleTime } from '../http/idle-time.ts';
import { idleClientMs } from '../http/limits.ts';
import type { RequestServer } from '../http/streams.ts';
import { openWire } from '../wire/open-wire.ts';
import type { WireOwner } from '../wire/wire.ts';
import { type ClientStreamParts, MuxClientStream } from './client-stream.ts';
import type { HeadInfo } from './frame.ts';
import { defaultLimits, type MuxLimits } from './limits.ts';
import { MuxSession, type MuxSessionOwner } from './session.ts';
import type { MuxStream, MuxStreamOwner } from './stream.ts';

export interface MuxHandlerOptions {
  readonly server: RequestServer;
  readonly monotonicMs: () => number;
  /** Counts the connections and refused requests of inbound edges; `null`: nobody does. */
  readonly recorderOf: (context: DownstreamContext) => EdgeRecorder | null;
  /** Told why a session ended that a peer broke. */
  readonly warn: (message: string) => void;
  readonly limits?: MuxLimits;
}

const tickEveryMs = 1_000;
/** Objects kept for further streams, per connection. */
const maxIdleClients = 64;
const noOwner: WireOwner = {
  onBytes: () => undefined,
  onEnd: () => undefined,
  onDrain: () => undefined,
  onClose: () => undefined,
};

/** Serves other sidecars: each stream is a request of its own. */
export class MuxHandler implements ConnectionHandler {
  readonly #options: MuxHandlerOptions;
  readonly #connections = new Set<MuxConnection>();
  #draining = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: MuxHandlerOptions) {
    this.#options = options;
  }

  get active(): number {
    return this.#connections.size;
  }

  serve(socket: Socket, head: Buffer, context: DownstreamContext): void {
    if (head.length > 0) socket.unshift(head);
    const connection = new MuxConnection(socket, context, this.#options, () => {
      this.#connections.delete(connection);
      if (this.#connections.size === 0) this.#stopTicking();
    });
    this.#connections.add(connection);
    this.#timer ??= setInterval(() => this.tick(this.#options.monotonicMs()), tickEveryMs).unref();
    if (this.#draining) connection.session.drain();
  }

  drain(): void {
    this.#draining = true;
    this.renew();
  }

  undrain(): void {
    // A client that was told to go elsewhere goes; its next connection stays.
    this.#draining = false;
  }

  /** Asks every client for a new connection: certificate or trust bundle were rotated. No request is lost. */
  renew(): void {
    for (const { session } of this.#connections) session.drain();
  }

  closeAll(): void {
    for (const { session } of [...this.#connections]) {
      session.close('lost', 'the sidecar ends');
      session.wire.destroy();
    }
    this.#stopTicking();
  }

  /** About once a second. */
  tick(nowMs: number): void {
    for (const connection of [...this.#connections]) connection.tick(nowMs);
  }

  #stopTicking(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }
}

/** One connection from another sidecar. */
class MuxConnection implements MuxSessionOwner {
  readonly session: MuxSession;
  readonly #context: DownstreamContext;
  readonly #options: MuxHandlerOptions;
  readonly #recorder: EdgeRecorder | null;
  readonly #onClosed: () => void;
  /** Objects that serve no stream just now, by the protocol of the clients beyond. */
  readonly #idle: Record<MuxClientStream['protocol'], MuxClientStream[]> = { 'http/1.1': [], 'http/2': [] };
  readonly #serving = new Set<MuxClientStream>();
  readonly #idleTime: IdleTime;
  readonly #parts: ClientStreamParts;

  constructor(socket: Socket, context: DownstreamContext, options: MuxHandlerOptions, onClosed: () => void) {
    const { monotonicMs, limits = defaultLimits } = options;
    this.#context = context;
    this.#options = options;
    this.#onClosed = onClosed;
    this.#idleTime = new IdleTime(idleClientMs, monotonicMs());
    this.#recorder = options.recorderOf(context);
    this.#recorder?.connectionOpened();
    this.#parts = {
      codec: createHttpCodec(headLimits.mesh),
      monotonicMs,
      recorder: this.#recorder,
      onFree: (client) => {
        this.#serving.delete(client);
        const idle = this.#idle[client.protocol];
        if (idle.length < maxIdleClients) idle.push(client);
      },
    };
    this.session = new MuxSession(openWire(socket, noOwner), { role: 'server', owner: this, monotonicMs, limits });
  }

  tick(nowMs: number): void {
    this.session.tick(nowMs);
    if (this.#idleTime.isOver(nowMs, this.session.openStreams > 0, this.session.table.last)) {
      if (this.session.draining) this.session.close('none', 'no request came for long');
      else this.session.drain();
    }
    for (const client of [...this.#serving]) client.tick(nowMs);
  }

  onReady(): void {
    // The client opens streams when it likes.
  }

  onRoom(): void {
    // The client counts its streams itself.
  }

  onDraining(): void {
    // It closes after its last stream.
  }

  onStream(stream: MuxStream, info: HeadInfo): MuxStreamOwner {
    const protocol = info.http2 ? 'http/2' : 'http/1.1';
    const client = this.#idle[protocol].pop() ?? this.#createClient(protocol);
    this.#serving.add(client);
    client.serve(stream);
    return client;
  }

  onClose(error: Error | null): void {
    this.#recorder?.connectionClosed();
    if (error !== null) this.#options.warn(`a connection from ${this.#context.remote.host} ended: ${error.message}`);
    this.#onClosed();
  }

  #createClient(protocol: MuxClientStream['protocol']): MuxClientStream {
    const client = new MuxClientStream(protocol, this.#parts);
    client.attach(this.#options.server.accept(client, this.#context, () => client.finish()));
    return client;
  }
}

import type { Socket } from 'node:net';
import type { ConnectionHandler, DownstreamContext, EdgeRecorder } from '../connection.ts';
import { goesPast } from '../http/attached-callers.ts';
import type { RequestServer } from '../http/streams.ts';
import { openWire } from '../wire/open-wire.ts';
import type { WireOwner } from '../wire/wire.ts';
import { Http2ClientStream } from './client-stream.ts';
import type { RequestLines } from './request-lines.ts';
import { Http2Session } from './session.ts';
import type { Http2Stream } from './stream.ts';

export interface Http2HandlerOptions {
  readonly server: RequestServer;
  readonly monotonicMs: () => number;
  /** Counts the connections of inbound edges; `null` where the upstream's connections are counted. */
  readonly recorderOf: (context: DownstreamContext, protocol: 'http/2' | 'grpc') => EdgeRecorder | null;
}

const tickEveryMs = 1_000;
/** Objects kept for further requests, per connection. */
const maxIdleClients = 64;
const unowned: WireOwner = {
  onBytes: () => undefined,
  onEnd: () => undefined,
  onDrain: () => undefined,
  onClose: () => undefined,
};

/** Serves HTTP/2 clients: each stream is a request of its own, routed and balanced as any other. */
export class Http2Handler implements ConnectionHandler {
  readonly #options: Http2HandlerOptions;
  readonly #connections = new Set<Http2Connection>();
  #draining = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: Http2HandlerOptions) {
    this.#options = options;
  }

  get active(): number {
    return this.#connections.size;
  }

  serve(socket: Socket, head: Buffer, context: DownstreamContext): void {
    const connection = new Http2Connection(socket, context, this.#options, () => {
      this.#connections.delete(connection);
      this.#stopWhenIdle();
    });
    this.#connections.add(connection);
    this.#timer ??= setInterval(() => this.#tick(), tickEveryMs).unref();
    connection.session.start(head);
    if (this.#draining) connection.session.drain();
  }

  drain(): void {
    this.#draining = true;
    for (const { session } of this.#connections) session.drain();
  }

  /** Ends what these callers have open past their sidecars; their next requests come over other connections. */
  leavePast(callers: ReadonlySet<string>): void {
    for (const { session, context } of this.#connections) if (goesPast(context, callers)) session.drain();
  }

  undrain(): void {
    // A client that was told to go elsewhere goes; its next connection stays.
    this.#draining = false;
  }

  closeAll(): void {
    for (const { session } of [...this.#connections]) session.close('the sidecar ends');
  }

  #tick(): void {
    const nowMs = this.#options.monotonicMs();
    for (const { session } of [...this.#connections]) session.tick(nowMs);
  }

  #stopWhenIdle(): void {
    if (this.#connections.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }
}

/** One accepted connection with its streams. */
class Http2Connection {
  readonly session: Http2Session;
  readonly context: DownstreamContext;
  readonly #options: Http2HandlerOptions;
  readonly #idle: Http2ClientStream[] = [];
  /** Counts the connection, as what its first request speaks. */
  #recorder: EdgeRecorder | null = null;
  #counted = false;

  constructor(socket: Socket, context: DownstreamContext, options: Http2HandlerOptions, onClosed: () => void) {
    this.context = context;
    this.#options = options;
    this.session = new Http2Session(openWire(socket, unowned), {
      role: 'server',
      onRequest: (stream, head, ended) => this.#take(stream, head, ended),
      onClosed: () => {
        this.#recorder?.connectionClosed();
        onClosed();
      },
      monotonicMs: options.monotonicMs,
    });
  }

  #take(stream: Http2Stream, head: RequestLines, ended: boolean): void {
    if (!this.#counted) this.#count(head.isGrpc ? 'grpc' : 'http/2');
    const client = this.#idle.pop() ?? this.#createClient();
    client.begin(stream, head, ended);
    const { sink } = client;
    if (head.tooLarge || sink === null) {
      client.answer({ status: 431, flag: 'DPE', body: 'the request has too many or too large headers\n' });
      this.#release(client);
      return;
    }
    sink.begin(head.bytes, head, head.bodyForm(ended), this.#options.monotonicMs());
    sink.start(head.bytes, head.end, head.end, ended || head.upgrade);
  }

  #createClient(): Http2ClientStream {
    const client = new Http2ClientStream(this.session);
    client.sink = this.#options.server.accept(client, this.context, () => this.#release(client));
    return client;
  }

  #release(client: Http2ClientStream): void {
    client.finish();
    if (this.#idle.length < maxIdleClients) this.#idle.push(client);
  }

  #count(protocol: 'http/2' | 'grpc'): void {
    this.#counted = true;
    this.#recorder = this.#options.recorderOf(this.context, protocol);
    this.#recorder?.connectionOpened();
  }
}

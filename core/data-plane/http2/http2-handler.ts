import type { Socket } from 'node:net';
import type { ConnectionHandler, DownstreamContext, EdgeRecorder } from '../connection.ts';
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
  readonly recorderOf: (context: DownstreamContext) => EdgeRecorder | null;
  /** While draining, how long streams may go on. Default: for ever. */
  readonly drainGraceMs?: number;
}

const tickEveryMs = 1_000;
const unowned: WireOwner = {
  onBytes: () => undefined,
  onEnd: () => undefined,
  onDrain: () => undefined,
  onClose: () => undefined,
};

/** Serves HTTP/2 clients: each stream is a request of its own, routed and balanced as any other. */
export class Http2Handler implements ConnectionHandler {
  readonly #options: Http2HandlerOptions;
  readonly #sessions = new Set<Http2Session>();
  #draining = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: Http2HandlerOptions) {
    this.#options = options;
  }

  get active(): number {
    return this.#sessions.size;
  }

  serve(socket: Socket, head: Buffer, context: DownstreamContext): void {
    const recorder = this.#options.recorderOf(context);
    recorder?.connectionOpened();
    const session = new Http2Session(openWire(socket, unowned), {
      role: 'server',
      onRequest: (stream, request, ended) => this.#begin(session, stream, request, ended, context),
      onClosed: () => {
        this.#sessions.delete(session);
        recorder?.connectionClosed();
        this.#stopWhenIdle();
      },
      monotonicMs: this.#options.monotonicMs,
    });
    this.#sessions.add(session);
    this.#timer ??= setInterval(() => this.#tick(), tickEveryMs).unref();
    session.start(head);
    if (this.#draining) session.drain();
  }

  drain(): void {
    this.#draining = true;
    for (const session of this.#sessions) session.drain();
  }

  undrain(): void {
    // A client that was told to go elsewhere goes; its next connection stays.
    this.#draining = false;
  }

  closeAll(): void {
    for (const session of [...this.#sessions]) session.close('the sidecar ends');
  }

  #begin(
    session: Http2Session,
    stream: Http2Stream,
    head: RequestLines,
    ended: boolean,
    context: DownstreamContext,
  ): void {
    const client = new Http2ClientStream(session, stream, head, ended);
    if (head.tooLarge) {
      client.answer({ status: 431, flag: 'DPE', body: 'the request has too many or too large headers\n' });
      client.finish();
      return;
    }
    if (head.isConnect) {
      client.answer({ status: 405, flag: 'DPE', body: 'CONNECT is not supported over HTTP/2\n' });
      client.finish();
      return;
    }
    const sink = this.#options.server.accept(client, context, () => client.finish());
    client.sink = sink;
    sink.begin(head.bytes, head, head.bodyForm(ended), this.#options.monotonicMs());
    sink.start(head.bytes, head.end, head.end, ended);
  }

  #tick(): void {
    const nowMs = this.#options.monotonicMs();
    for (const session of [...this.#sessions]) session.tick(nowMs);
  }

  #stopWhenIdle(): void {
    if (this.#sessions.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }
}

import { connect, createServer, type Server, type Socket } from 'node:net';
import type { DownstreamContext } from '../../core/data-plane/connection.ts';
import type { HeadFields } from '../../core/data-plane/http/codec.ts';
import type { HttpEndpoint } from '../../core/data-plane/http/compiled-service.ts';
import type {
  ClientStream,
  RequestServer,
  RequestSink,
  ResponseSink,
  ServerLoss,
  ServerStream,
  UpstreamSession,
} from '../../core/data-plane/http/streams.ts';
import { Http2Handler } from '../../core/data-plane/http2/http2-handler.ts';
import { createHttp2Carrier } from '../../core/data-plane/http2/upstream-carrier.ts';

const asSent = { target: null, host: null, requestId: null };
const context: DownstreamContext = {
  direction: 'inbound',
  originalDestination: null,
  remote: { host: '127.0.0.1', port: 1 },
  service: null,
  target: null,
  forwardProxy: false,
  peerSpiffeId: null,
};
const endpoint: HttpEndpoint = {
  endpoint: { id: '', name: '', address: '', ports: [], version: null, hosts: [], mesh: false, spiffeId: '' },
  port: 0,
  target: { host: '', port: 0, tls: null },
  edge: {
    direction: 'inbound',
    peerService: null,
    peerWorkload: null,
    peerAddress: null,
    peerSpiffeId: null,
    port: 0,
    protocol: 'http/1.1',
    mtls: false,
  },
  key: '',
};

/** The least that can stand between the two HTTP/2 carriers: every request goes to one server, nothing is decided. */
export class Http2Relay implements RequestServer {
  readonly handler: Http2Handler;
  readonly #server: Server;
  readonly #upstreamPort: number;
  readonly #sockets = new Set<Socket>();
  #session: UpstreamSession | null = null;
  #ready: Promise<void> | null = null;

  private constructor(upstreamPort: number) {
    this.#upstreamPort = upstreamPort;
    this.handler = new Http2Handler({ server: this, monotonicMs: () => performance.now(), recorderOf: () => null });
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.#sockets.add(socket);
      this.handler.serve(socket, Buffer.alloc(0), context);
    });
  }

  static async start(upstreamPort: number): Promise<{ relay: Http2Relay; port: number }> {
    const relay = new Http2Relay(upstreamPort);
    await new Promise<void>((resolve) => relay.#server.listen(0, '127.0.0.1', resolve));
    const address = relay.#server.address();
    return { relay, port: typeof address === 'object' && address !== null ? address.port : 0 };
  }

  close(): void {
    this.#server.close();
    this.handler.closeAll();
    this.#session?.destroy();
  }

  accept(client: ClientStream, _context: DownstreamContext, finished: (complete: boolean) => void): RequestSink {
    return new RelayedRequest(client, finished, () => this.#open());
  }

  async #open(): Promise<UpstreamSession | null> {
    if (this.#session?.usable === true) return this.#session;
    this.#ready ??= new Promise((resolve) => {
      const socket = connect({ port: this.#upstreamPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
      socket.once('error', () => resolve());
      socket.once('connect', () =>
        setImmediate(() => {
          this.#session = createHttp2Carrier().createSession(socket, {
            endpoint,
            recorder: null,
            monotonicMs: () => performance.now(),
            onRoom: () => undefined,
            onClosed: () => {
              this.#session = null;
            },
          });
          resolve();
        }),
      );
    });
    await this.#ready;
    this.#ready = null;
    return this.#session;
  }
}

class RelayedRequest implements RequestSink, ResponseSink {
  readonly takesChunked = false;
  busy = false;
  readonly #client: ClientStream;
  readonly #finished: (complete: boolean) => void;
  readonly #open: () => Promise<UpstreamSession | null>;
  #stream: ServerStream | null = null;
  #queued: ((stream: ServerStream) => void)[] = [];
  /** Which of the requests that follow each other here. */
  #round = 0;

  constructor(
    client: ClientStream,
    finished: (complete: boolean) => void,
    open: () => Promise<UpstreamSession | null>,
  ) {
    this.#client = client;
    this.#finished = finished;
    this.#open = open;
  }

  begin: RequestSink['begin'] = (bytes, head, form) => {
    this.busy = true;
    this.#round += 1;
    this.#stream = null;
    this.#queued = [];
    const { start, end, count } = head;
    const shift = (at: number) => at - start;
    const spans = {
      nameStart: head.nameStart,
      nameEnd: head.nameEnd,
      valueStart: head.valueStart,
      valueEnd: head.valueEnd,
    };
    const moved = Object.fromEntries(
      Object.entries(spans).map(([name, at]) => [name, at.slice(0, count).map(shift)]),
    ) as unknown as typeof spans;
    const copy = {
      ...moved,
      count,
      dropped: head.dropped.slice(0, count),
      start: 0,
      methodEnd: shift(head.methodEnd),
      targetStart: shift(head.targetStart),
      targetEnd: shift(head.targetEnd),
      fieldsStart: shift(head.fieldsStart),
      end: shift(end),
      hostIndex: head.hostIndex,
      hasRequestId: head.hasRequestId,
      hasGrpcTimeout: head.hasGrpcTimeout,
      expectContinue: false,
      teTrailers: head.teTrailers,
      ...{
        minor: 1,
        contentLength: head.contentLength,
        chunked: false,
        close: false,
        keepAlive: false,
        upgrade: false,
      },
    };
    const kept = Buffer.from(bytes.subarray(start, end));
    this.#do((stream) => stream.sendHead(kept, copy, asSent, form, kept, 0, 0, form === 'none'));
  };

  start(): void {
    void this.#begin(this.#round);
  }

  async #begin(round: number): Promise<void> {
    const session = await this.#open();
    if (round !== this.#round || !this.busy) return;
    const stream = session?.open(this, 'http/2') ?? null;
    if (stream === null && session !== null) {
      // As many requests as the server takes are under way.
      setImmediate(() => void this.#begin(round));
      return;
    }
    if (stream === null) {
      this.#client.answer({ status: 503, flag: 'UF', body: 'no upstream' });
      this.#end();
      return;
    }
    this.#stream = stream;
    for (const step of this.#queued.splice(0)) step(stream);
  }

  body(bytes: Buffer, start: number, end: number, isLast = false): void {
    if (this.#stream !== null) {
      if (!this.#stream.sendBody(bytes, start, end, isLast)) this.#client.pauseRequest();
      return;
    }
    const kept = Buffer.from(bytes.subarray(start, end));
    this.#do((stream) => stream.sendBody(kept, 0, kept.length, isLast));
  }

  trailers(bytes: Buffer, trailers: HeadFields): void {
    this.#stream?.sendTrailers(bytes, trailers);
  }

  end(): void {
    this.#do((stream) => stream.sendBody(Buffer.alloc(0), 0, 0, true));
  }

  refuseBody(): void {
    this.clientGone();
  }

  bodyStalled(): void {
    this.clientGone();
  }

  clientDrained(): void {
    this.#stream?.resumeResponse();
  }

  clientGone(): void {
    this.#stream?.cancel('cancelled');
    this.#end();
  }

  onInterim: ResponseSink['onInterim'] = (bytes, head) => this.#client.sendInterim(bytes, head);

  onHead: ResponseSink['onHead'] = (bytes, head, form, bodyStart, bodyEnd, isLast) => {
    this.#client.sendHead(bytes, head, form, bodyStart, bodyEnd, isLast);
    if (isLast) this.#end();
  };

  onBody(bytes: Buffer, start: number, end: number, isLast: boolean): void {
    if (!this.#client.sendBody(bytes, start, end, isLast)) this.#stream?.pauseResponse();
    if (isLast) this.#end();
  }

  onTrailers(bytes: Buffer, trailers: HeadFields): void {
    this.#client.sendTrailers(bytes, trailers);
    this.#end();
  }

  onTunnel(): void {
    this.clientGone();
  }

  onDrain(): void {
    this.#client.resumeRequest();
  }

  onLost(loss: ServerLoss): void {
    this.#client.abort(loss.reason);
    this.#end();
  }

  #do(step: (stream: ServerStream) => void): void {
    if (this.#stream === null) this.#queued.push(step);
    else step(this.#stream);
  }

  #end(): void {
    if (!this.busy) return;
    this.busy = false;
    this.#stream = null;
    this.#finished(true);
  }
}

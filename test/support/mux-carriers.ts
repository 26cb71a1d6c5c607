/** The transport's two carriers over real mesh TLS, with scripts in place of exchanges. */
import type { Socket } from 'node:net';
import type { DownstreamContext } from '../../core/data-plane/connection.ts';
import type { HeadFields, RequestHead, ResponseHead } from '../../core/data-plane/http/codec.ts';
import type { HttpEndpoint } from '../../core/data-plane/http/compiled-service.ts';
import { createHttpCodec } from '../../core/data-plane/http/head-parser.ts';
import type {
  BodyForm,
  CancelReason,
  ClientStream,
  RequestServer,
  RequestSink,
  ResponseSink,
  ServerLoss,
  ServerStream,
  UpstreamSession,
} from '../../core/data-plane/http/streams.ts';
import { MuxHandler } from '../../core/data-plane/mux/mux-handler.ts';
import { muxCarrier } from '../../core/data-plane/mux/upstream-carrier.ts';
import { createUpstreamConnector } from '../../core/data-plane/tls/upstream-connector.ts';
import { meshAlpn } from '../../core/model/identity.ts';
import { identityOf, MeshServer } from './mesh-tls.ts';
import { TestCa } from './test-ca.ts';
import { spiffeIdOfName } from './test-sidecar.ts';

const asSent = { target: null, host: null, requestId: null };
const codec = createHttpCodec();
const noBytes = Buffer.alloc(0);

export const muxEndpoint: HttpEndpoint = {
  endpoint: { id: '', name: '', address: '', ports: [], version: null, hosts: [], mesh: true, spiffeId: '' },
  port: 0,
  target: { host: '', port: 0, tls: null },
  edge: {
    direction: 'outbound',
    peerService: null,
    peerWorkload: null,
    peerAddress: null,
    peerSpiffeId: null,
    port: 0,
    protocol: 'http/1.1',
    mtls: true,
  },
  key: '',
};

export const muxContext: DownstreamContext = {
  direction: 'inbound',
  originalDestination: null,
  remote: { host: '127.0.0.1', port: 1 },
  service: null,
  target: null,
  forwardProxy: false,
  peerSpiffeId: spiffeIdOfName('web'),
};

/** What a server saw of one request. */
export class SeenRequest {
  head = '';
  form: BodyForm | null = null;
  protocol = '';
  readonly chunks: Buffer[] = [];
  trailers: string | null = null;
  ended = false;
  refusal: string | null = null;
  gone: CancelReason | null = null;
  drains = 0;
  stalled = false;
  readonly #sink: ScriptedSink;

  constructor(sink: ScriptedSink) {
    this.#sink = sink;
  }

  get client(): ClientStream {
    return this.#sink.client;
  }

  get body(): string {
    return Buffer.concat(this.chunks).toString('latin1');
  }

  /** Answers with `head` and `body`; `isLast`: that is all. */
  answer(head: string, body = '', form: BodyForm = body === '' ? 'none' : 'length', isLast = true): void {
    const bytes = Buffer.from(head + body, 'latin1');
    if (codec.parseResponse(bytes, 0, head.length) !== 'complete') throw new Error(`no response: ${head}`);
    this.client.sendHead(bytes, codec.response, form, head.length, bytes.length, isLast);
    if (isLast) this.finish();
  }

  send(body: string, isLast = false): boolean {
    const bytes = Buffer.from(body, 'latin1');
    const flowing = this.client.sendBody(bytes, 0, bytes.length, isLast);
    if (isLast) this.finish();
    return flowing;
  }

  finish(): void {
    this.#sink.finish();
  }
}

class ScriptedSink implements RequestSink {
  busy = false;
  readonly takesChunked: boolean;
  readonly client: ClientStream;
  readonly #script: ServerScript;
  readonly #finished: (complete: boolean) => void;
  #request: SeenRequest;

  constructor(script: ServerScript, client: ClientStream, finished: (complete: boolean) => void) {
    this.client = client;
    this.takesChunked = script.takesChunked;
    this.#script = script;
    this.#finished = finished;
    this.#request = new SeenRequest(this);
  }

  begin(bytes: Buffer, head: RequestHead, form: BodyForm): void {
    this.busy = true;
    this.#request = new SeenRequest(this);
    this.#request.head = bytes.toString('latin1', head.start, head.end);
    this.#request.form = form;
    this.#request.protocol = this.client.protocol;
    this.#script.requests.push(this.#request);
  }

  start(bytes: Buffer, bodyStart: number, bodyEnd: number, isLast: boolean): void {
    const request = this.#request;
    if (bodyEnd > bodyStart) this.body(bytes, bodyStart, bodyEnd);
    this.#script.onStart(request);
    if (isLast) this.end();
  }

  body(bytes: Buffer, start: number, end: number, isLast = false): void {
    this.#request.chunks.push(Buffer.from(bytes.subarray(start, end)));
    if (isLast) this.end();
  }

  trailers(bytes: Buffer, trailers: HeadFields): void {
    this.#request.trailers = bytes.toString('latin1', trailers.fieldsStart, trailers.end);
  }

  end(): void {
    this.#request.ended = true;
    if (this.busy) this.#script.onEnd(this.#request);
  }

  refuseBody(reason: string): void {
    this.#request.refusal = reason;
    this.client.abort('protocol');
    this.finish();
  }

  bodyStalled(): void {
    this.#request.stalled = true;
    this.finish();
  }

  clientDrained(): void {
    this.#request.drains += 1;
  }

  clientGone(reason: CancelReason): void {
    this.#request.gone = reason;
    this.finish();
  }

  finish(): void {
    if (!this.busy) return;
    this.busy = false;
    this.#finished(true);
  }
}

/** Serves requests as the test says. */
export class ServerScript implements RequestServer {
  readonly requests: SeenRequest[] = [];
  takesChunked = true;
  onStart: (request: SeenRequest) => void = () => undefined;
  onEnd: (request: SeenRequest) => void = () => undefined;
  /** Sinks that were made: connections use them again. */
  sinks = 0;

  accept(client: ClientStream, _context: DownstreamContext, finished: (complete: boolean) => void): RequestSink {
    this.sinks += 1;
    return new ScriptedSink(this, client, finished);
  }
}

/** What a client heard of one answer. */
export class SeenAnswer implements ResponseSink {
  takesChunked = true;
  readonly interims: number[] = [];
  head = '';
  status = 0;
  form: BodyForm | null = null;
  readonly chunks: Buffer[] = [];
  trailers: string | null = null;
  ended = false;
  tunnel = false;
  drains = 0;
  loss: ServerLoss | null = null;

  get body(): string {
    return Buffer.concat(this.chunks).toString('latin1');
  }

  onInterim(_bytes: Buffer, head: ResponseHead): void {
    this.interims.push(head.status);
  }

  onHead(bytes: Buffer, head: ResponseHead, form: BodyForm, start: number, end: number, isLast: boolean): void {
    this.head = bytes.toString('latin1', head.start, head.end);
    this.status = head.status;
    this.form = form;
    this.onBody(bytes, start, end, isLast);
  }

  onBody(bytes: Buffer, start: number, end: number, isLast: boolean): void {
    if (this.ended) throw new Error('bytes after the end');
    if (end > start) this.chunks.push(Buffer.from(bytes.subarray(start, end)));
    if (isLast) this.ended = true;
  }

  onTrailers(bytes: Buffer, trailers: HeadFields): void {
    this.trailers = bytes.toString('latin1', trailers.fieldsStart, trailers.end);
    this.ended = true;
  }

  onTunnel(_bytes: Buffer, head: ResponseHead): void {
    this.status = head.status;
    this.tunnel = true;
  }

  onDrain(): void {
    this.drains += 1;
  }

  onLost(loss: ServerLoss): void {
    this.loss = loss;
  }
}

export class CarrierPair {
  readonly script = new ServerScript();
  readonly warnings: string[] = [];
  readonly handler: MuxHandler;
  readonly session: UpstreamSession;
  readonly socket: Socket;
  /** Calls of `onRoom` and `onClosed`. */
  rooms = 0;
  closed = 0;
  readonly #server: MeshServer;

  private constructor(server: MeshServer, socket: Socket) {
    this.#server = server;
    this.socket = socket;
    this.handler = new MuxHandler({
      server: this.script,
      monotonicMs: () => performance.now(),
      recorderOf: () => null,
      warn: (message) => this.warnings.push(message),
    });
    this.session = muxCarrier.createSession(socket, {
      endpoint: muxEndpoint,
      recorder: null,
      monotonicMs: () => performance.now(),
      onRoom: () => {
        this.rooms += 1;
      },
      onClosed: () => {
        this.closed += 1;
      },
    });
  }

  static async open(): Promise<CarrierPair> {
    const { server, socket, accepted } = await connectMux();
    const pair = new CarrierPair(server, socket);
    pair.handler.serve(await accepted, noBytes, muxContext);
    return pair;
  }

  /** Sends `head` and the beginning of a body. */
  request(
    head: string,
    options: { body?: string; form?: BodyForm; isLast?: boolean; http2?: boolean; answer?: SeenAnswer } = {},
  ): { stream: ServerStream; answer: SeenAnswer } {
    const { body = '', answer = new SeenAnswer(), http2 = false } = options;
    const { form = body === '' ? 'none' : 'length', isLast = true } = options;
    const stream = this.session.open(answer, http2 ? 'http/2' : 'http/1.1');
    if (stream === null) throw new Error('no room');
    const parsed = parseRequest(head);
    const rest = Buffer.from(body, 'latin1');
    stream.sendHead(parsed.bytes, parsed.head, asSent, form, rest, 0, rest.length, isLast);
    return { stream, answer };
  }

  parseResponse(head: string): { bytes: Buffer; head: ResponseHead } {
    const bytes = Buffer.from(head, 'latin1');
    if (codec.parseResponse(bytes, 0, bytes.length) !== 'complete') throw new Error(`no response: ${head}`);
    return { bytes, head: codec.response };
  }

  parseTrailers(block: string): { bytes: Buffer; fields: HeadFields } {
    const bytes = Buffer.from(block, 'latin1');
    const fields = codec.parseTrailers(bytes, 0, bytes.length);
    if (fields === null) throw new Error(`no trailers: ${block}`);
    return { bytes, fields };
  }

  async close(): Promise<void> {
    this.session.destroy();
    this.handler.closeAll();
    await this.#server.close();
  }
}

export function parseRequest(text: string): { bytes: Buffer; head: RequestHead } {
  const bytes = Buffer.from(text, 'latin1');
  if (codec.parseRequest(bytes, 0, bytes.length) !== 'complete') throw new Error(`no request: ${text}`);
  return { bytes, head: codec.request };
}

/** A connection that has agreed to the transport, both ends of it. */
export async function connectMux(): Promise<{ server: MeshServer; socket: Socket; accepted: Promise<Socket> }> {
  const ca = await TestCa.create();
  const server = await MeshServer.start(await identityOf(ca, 'orders'));
  const accepted = new Promise<Socket>((resolve) => {
    server.onAccept = (connection) => resolve(connection.socket);
  });
  const connector = createUpstreamConnector(await identityOf(ca, 'web'), 5_000);
  const tls = { alpn: meshAlpn.mux, spiffeId: spiffeIdOfName('orders'), serverName: 'orders.shop' };
  return { server, socket: await connector.connect({ host: '127.0.0.1', port: server.port, tls }), accepted };
}

import { isIP } from 'node:net';
import type { DownstreamContext, UpstreamError } from '../connection.ts';
import { onBehalfOf } from '../upstream/connection-policy.ts';
import type { HeadFields, ResponseHead } from './codec.ts';
import type { HttpEndpoint } from './compiled-service.ts';
import type { EndpointState, SessionWaiter } from './endpoint-state.ts';
import type { KeptHead } from './kept-head.ts';
import type { RequestReader } from './parsed-request.ts';
import type { ReplayBuffer } from './replay-buffer.ts';
import type {
  BodyForm,
  CancelReason,
  ClientStream,
  RequestEdit,
  ResponseSink,
  ServerLoss,
  ServerStream,
  UpstreamSession,
} from './streams.ts';
import type { Upstreams } from './upstreams.ts';

/** What an attempt tells the exchange; the response's parts as in `ResponseSink`. */
export interface AttemptOwner {
  /** A stream was found or opened, and what there was of the request has been sent. False: the server cannot take more. */
  attemptBegan(sentBytes: number, goOn: boolean): void;
  /** Where it goes. */
  attemptChosen(state: EndpointState): void;
  connectFailed(error: UpstreamError): void;
  onInterim(bytes: Buffer, head: ResponseHead): void;
  onHead(bytes: Buffer, head: ResponseHead, form: BodyForm, bodyStart: number, bodyEnd: number, isLast: boolean): void;
  onBody(bytes: Buffer, start: number, end: number, isLast: boolean): void;
  onTrailers(bytes: Buffer, trailers: HeadFields): void;
  onTunnel(bytes: Buffer, head: ResponseHead): void;
  serverDrained(): void;
  /** The stream is gone. */
  attemptLost(loss: ServerLoss): void;
}

/** The request, as every attempt sends it. */
export interface AttemptedRequest {
  /** As this try sends it. */
  readonly sentHead: KeptHead;
  /** The response must not come in form `chunked`, whatever the client takes. */
  readonly wantsPlain: boolean;
  readonly edit: RequestEdit;
  /** As it came. */
  readonly request: Pick<RequestReader, 'authority'>;
  readonly form: BodyForm;
  /** What a server is spoken to in that may be spoken to in either. */
  readonly protocol: ClientStream['protocol'];
  readonly replay: ReplayBuffer;
  readonly requestDone: boolean;
}

/**
 * One try at a request with one endpoint: finds a stream or waits for one, sends what there is of the request, passes the
 * response on. Reused from try to try. This is where a limit per try belongs; which endpoint is tried, how often and after
 * what, is the exchange's to decide.
 */
export class Attempt implements ResponseSink, SessionWaiter {
  /** A kept connection was lost before: only a new one will do. */
  fresh = false;
  state: EndpointState | null = null;
  stream: ServerStream | null = null;
  readonly #owner: AttemptOwner;
  readonly #upstreams: Upstreams;
  readonly #client: ClientStream;
  readonly #context: DownstreamContext;
  readonly #request: AttemptedRequest;
  #waiting = false;
  #tunnel = false;

  constructor(
    owner: AttemptOwner,
    request: AttemptedRequest,
    upstreams: Upstreams,
    client: ClientStream,
    context: DownstreamContext,
  ) {
    this.#context = context;
    this.#owner = owner;
    this.#request = request;
    this.#upstreams = upstreams;
    this.#client = client;
  }

  /** `body[bodyStart, bodyEnd)` follows what the replay buffer holds. It is kept there when it cannot be sent now. */
  begin(endpoint: HttpEndpoint, fresh: boolean, body: Buffer, bodyStart: number, bodyEnd: number): void {
    const { dial } = endpoint.target;
    const own = dial?.proxyProtocol === undefined && dial?.originate === undefined ? endpoint : this.#ownOf(endpoint);
    const state = this.#upstreams.stateOf(own, this.#request.protocol);
    this.#choose(state);
    this.#owner.attemptChosen(state);
    this.fresh = fresh;
    this.#tunnel = false;
    const stream = fresh ? null : this.#take(state);
    if (stream !== null) {
      this.#send(stream, body, bodyStart, bodyEnd);
      return;
    }
    this.#request.replay.push(body, bodyStart, bodyEnd);
    this.#waiting = true;
    this.#upstreams.wait(state, this);
  }

  /** Of the request under way: one connection may carry HTTP/1.0 after HTTP/1.1. */
  get takesChunked(): boolean {
    return this.#client.takesChunked && !this.#request.wantsPlain;
  }

  /** Ends the try, if one is under way; nothing more is heard of it. */
  cancel(reason: CancelReason): void {
    const { stream, state } = this;
    this.stream = null;
    if (this.#waiting && state !== null) this.#upstreams.giveUp(state, this);
    this.#waiting = false;
    stream?.cancel(reason);
  }

  /** After the exchange: the endpoint is not busy with it any more. */
  end(): void {
    this.cancel('cancelled');
    this.#choose(null);
  }

  /** For connections that not every request may use. */
  #ownOf(endpoint: HttpEndpoint): HttpEndpoint {
    const { edit, request } = this.#request;
    return forClient(forHost(endpoint, edit.host ?? request.authority), this.#context);
  }

  // --- waiting for a session ---------------------------------------------------------------------------------------

  sessionReady(session: UpstreamSession): void {
    const { state } = this;
    if (!this.#waiting || state === null) return;
    const stream = session.open(this, this.#request.protocol);
    if (stream === null) {
      this.#upstreams.wait(state, this);
      return;
    }
    this.#waiting = false;
    this.#send(stream, noBytes, 0, 0);
  }

  connectFailed(error: UpstreamError): void {
    if (!this.#waiting) return;
    this.#waiting = false;
    this.#owner.connectFailed(error);
  }

  // --- response ----------------------------------------------------------------------------------------------------

  onInterim(bytes: Buffer, head: ResponseHead): void {
    this.#owner.onInterim(bytes, head);
  }

  onHead(bytes: Buffer, head: ResponseHead, form: BodyForm, bodyStart: number, bodyEnd: number, isLast: boolean): void {
    if (isLast) this.stream = null;
    this.#owner.onHead(bytes, head, form, bodyStart, bodyEnd, isLast);
  }

  onBody(bytes: Buffer, start: number, end: number, isLast: boolean): void {
    if (isLast && !this.#tunnel) this.stream = null;
    this.#owner.onBody(bytes, start, end, isLast);
  }

  onTrailers(bytes: Buffer, trailers: HeadFields): void {
    this.stream = null;
    this.#owner.onTrailers(bytes, trailers);
  }

  onTunnel(bytes: Buffer, head: ResponseHead): void {
    this.#tunnel = true;
    this.#owner.onTunnel(bytes, head);
  }

  onDrain(): void {
    this.#owner.serverDrained();
  }

  onLost(loss: ServerLoss): void {
    this.stream = null;
    this.#owner.attemptLost(loss);
  }

  // -----------------------------------------------------------------------------------------------------------------

  #choose(state: EndpointState | null): void {
    if (this.state !== null) this.state.active -= 1;
    this.state = state;
    if (state !== null) state.active += 1;
  }

  #take(state: EndpointState): ServerStream | null {
    for (let session = this.#upstreams.take(state); session !== null; session = this.#upstreams.take(state)) {
      const stream = session.open(this, this.#request.protocol);
      if (stream !== null) return stream;
    }
    return null;
  }

  #send(stream: ServerStream, body: Buffer, bodyStart: number, bodyEnd: number): void {
    const request = this.#request;
    const { chunks } = request.replay;
    const { sentHead: head, edit, form, requestDone } = request;
    this.stream = stream;
    const sentBytes = head.end + request.replay.bytes + bodyEnd - bodyStart;
    let goOn: boolean;
    if (chunks.length === 0) {
      goOn = stream.sendHead(head.bytes, head, edit, form, body, bodyStart, bodyEnd, requestDone);
      request.replay.sent();
      request.replay.push(body, bodyStart, bodyEnd);
    } else {
      request.replay.push(body, bodyStart, bodyEnd);
      goOn = this.#sendKept(stream, request);
      request.replay.sent();
    }
    this.#owner.attemptBegan(sentBytes, goOn);
  }

  #sendKept(stream: ServerStream, { sentHead: head, edit, form, replay, requestDone }: AttemptedRequest): boolean {
    const { chunks } = replay;
    const [first = noBytes] = chunks;
    const last = chunks.length - 1;
    let goOn = stream.sendHead(head.bytes, head, edit, form, first, 0, first.length, requestDone && last === 0);
    for (let index = 1; index <= last; index += 1) {
      const chunk = chunks[index] ?? noBytes;
      goOn = stream.sendBody(chunk, 0, chunk.length, requestDone && index === last);
    }
    return goOn;
  }
}

const noBytes = Buffer.alloc(0);

/**
 * TLS asks for the host of the request, and that is the name that the certificate must have, unless the rule says otherwise
 * (asked of istiod: `auto_sni`, `auto_san_validation`).
 */
function forHost(endpoint: HttpEndpoint, authority: string): HttpEndpoint {
  const { originate } = endpoint.target.dial ?? {};
  const host = authority.replace(/:\d+$/, '').toLowerCase();
  if (originate === undefined || originate.config.sni !== undefined) return endpoint;
  // Explicit listeners are asked by address; that is no name of the server's.
  if (host === '' || host === originate.host || isIP(host) !== 0 || host.startsWith('[')) return endpoint;
  const target = { ...endpoint.target, dial: { ...endpoint.target.dial, originate: { ...originate, host } } };
  return { ...endpoint, target, poolKey: `${endpoint.poolKey ?? endpoint.key} as ${host}` };
}

/** Connections that say whom they are made for carry nobody else's requests. */
function forClient(endpoint: HttpEndpoint, { remote, originalDestination }: DownstreamContext): HttpEndpoint {
  const target = onBehalfOf(endpoint.target, remote, originalDestination);
  if (target === endpoint.target) return endpoint;
  return { ...endpoint, target, poolKey: `${endpoint.poolKey ?? endpoint.key} for ${remote.host}:${remote.port}` };
}

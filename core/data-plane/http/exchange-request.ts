import type { MirrorConfig } from '../../model/traffic-config.ts';
import type { UpstreamError } from '../connection.ts';
import { ForwardedHead } from '../gateway/forwarded-head.ts';
import { Attempt, type AttemptedRequest, type AttemptOwner } from './attempt.ts';
import type { HeadFields, RequestHead, ResponseHead } from './codec.ts';
import type { DrawnFaults } from './draw-faults.ts';
import type { EndpointState } from './endpoint-state.ts';
import type { ExchangeOptions, ExchangeParts } from './exchange-parts.ts';
import { ExchangeRecord } from './exchange-record.ts';
import { type ForwardedRequest, Forwarding } from './forwarding.ts';
import { limitTime } from './grpc-deadline.ts';
import { http2Protocol } from './http2-protocol.ts';
import { KeptHead } from './kept-head.ts';
import { drawMirrors, NoClient } from './mirror.ts';
import type { RequestReader } from './parsed-request.ts';
import type { RateLimiter } from './rate-limiter.ts';
import { ReplayBuffer } from './replay-buffer.ts';
import { RequestFaults } from './request-faults.ts';
import { isIdempotent } from './request-method.ts';
import { RequestRouter } from './request-router.ts';
import type { Forward, Routing } from './route-plan.ts';
import { RouteWork } from './route-work.ts';
import type {
  BodyForm,
  CancelReason,
  ClientStream,
  MeshAnswer,
  RequestEdit,
  RequestSink,
  ServerLoss,
} from './streams.ts';
import { notSet, type WheelEntry } from './timer-wheel.ts';
import { Tries } from './tries.ts';

/** The request's half of an exchange: from the client to where it goes. What its answer does is for exchange.ts to say. */
export abstract class ExchangeRequest
  implements RequestSink, AttemptOwner, AttemptedRequest, ForwardedRequest, WheelEntry
{
  busy = false;
  takesChunked = true;
  readonly head = new KeptHead();
  readonly replay = new ReplayBuffer();
  form: BodyForm = 'none';
  protocol: ClientStream['protocol'];
  requestDone = false;
  idempotent = false;
  next: WheelEntry | null = null;
  previous: WheelEntry | null = null;
  dueAtMs = notSet;
  protected readonly parts: ExchangeParts;
  protected readonly options: ExchangeOptions;
  protected readonly client: ClientStream;
  protected readonly record: ExchangeRecord;
  protected readonly attempt: Attempt;
  protected readonly forwarding: Forwarding;
  protected readonly work: RouteWork;
  /** What faults have done to a request of this client; `null`: nothing yet. */
  protected faults: RequestFaults | null = null;
  protected routing: Routing | null = null;
  protected interim = false;
  /** Status of the final answer, once it is on its way; 0 before. */
  protected status = 0;
  protected admitted = false;
  protected tunnel = false;
  protected heldAnswer: (() => void) | null = null;
  readonly #router: RequestRouter;
  readonly #tries: Tries;
  /** At a gateway: what a request from outside becomes. */
  readonly #forwarded: ForwardedHead | null;
  /** For the whole request; `null`: none. */
  #timeoutMs: number | null = null;
  #trailersSent = false;
  #isTried = false;
  #isHeld = false;
  /** Body of a complete request whose copies wait for its first try. */
  #unmirrored: Buffer | null = null;

  constructor(parts: ExchangeParts, options: ExchangeOptions) {
    const { client, context, recorder, front = null } = options;
    this.parts = parts;
    this.options = options;
    this.client = client;
    this.protocol = client.protocol;
    this.#router = new RequestRouter(this.head, context, parts);
    const sampled = context.direction === 'outbound' || context.peerSpiffeId === null;
    this.record = new ExchangeRecord(parts.telemetry, recorder, sampled, front);
    const entrance = front === null ? undefined : context.gateway;
    this.#forwarded = entrance === undefined ? null : new ForwardedHead(parts.codec, context, entrance);
    this.attempt = new Attempt(this, this, parts.upstreams, client, context);
    this.#tries = new Tries(parts, this);
    this.forwarding = new Forwarding(parts, this, this.attempt, this.#tries);
    this.work = new RouteWork(parts.codec, this.head, this.#router, context.remote);
  }

  get edit(): RequestEdit {
    return this.#router.edit;
  }

  get request(): RequestReader {
    return this.#router.request;
  }

  get sentHead(): KeptHead {
    return this.faults?.editedHead ?? this.head;
  }

  get wantsPlain(): boolean {
    return this.faults !== null && this.faults.response !== null;
  }

  get unanswered(): boolean {
    return this.status === 0 && !this.interim && this.heldAnswer === null;
  }

  abstract answer(answer: MeshAnswer): void;
  abstract clientGone(reason: CancelReason): void;
  abstract attemptLost(loss: ServerLoss): void;
  abstract onInterim(bytes: Buffer, head: ResponseHead): void;
  abstract onHead(
    bytes: Buffer,
    head: ResponseHead,
    form: BodyForm,
    bodyStart: number,
    bodyEnd: number,
    isLast: boolean,
  ): void;
  abstract onBody(bytes: Buffer, start: number, end: number, isLast: boolean): void;
  abstract onTrailers(bytes: Buffer, trailers: HeadFields): void;
  abstract onTunnel(bytes: Buffer, head: ResponseHead): void;
  abstract onTimeout(): void;
  /** Answers when nothing was sent yet, otherwise makes the client see that the answer is not complete. */
  protected abstract fail(status: number, flag: string, body: string): void;
  /** One side of the tunnel has ended. */
  protected abstract tunnelEnded(): void;
  /** An exchange for a copy of the request. */
  protected abstract createShadow(options: ExchangeOptions): ExchangeRequest;

  // --- request -----------------------------------------------------------------------------------------------------

  /** `forced`: where it goes, whatever the configuration says. */
  begin(bytes: Buffer, head: RequestHead, form: BodyForm, arrivedAtMs: number, forced: Forward | null = null): void {
    this.busy = true;
    this.form = form;
    this.head.keep(bytes, head);
    this.#forwarded?.apply(this.head);
    this.requestDone = false;
    this.interim = false;
    this.#isHeld = false;
    this.status = 0;
    this.forwarding.begin();
    this.faults?.begin();
    this.tunnel = false;
    this.#isTried = false;
    this.#unmirrored = null;
    // Who asks for a tunnel gets it from a server of HTTP/1.1, unless the port says otherwise.
    this.protocol = this.head.upgrade ? 'http/1.1' : this.client.protocol;
    const spoken = this.client.protocol === 'http/2' ? http2Protocol(this.head) : 'http/1.1';
    // Browsers choose HTTP/2 for the gateway's sake: servers that declare nothing get HTTP/1.1, as from Istio's.
    if (this.#forwarded !== null) this.protocol = spoken === 'grpc' ? 'http/2' : 'http/1.1';
    this.record.begin(arrivedAtMs, spoken);
    this.routing = this.#router.route(forced);
    this.takesChunked = true;
    if (form === 'chunked') this.#chooseForm();
    this.idempotent = isIdempotent(this.head);
    const routing = this.routing;
    if (routing.kind === 'forward') {
      this.#tries.begin(routing, this.request, this.options.context.remote.host);
      this.work.begin(routing.actions, this.#tries.setCookie);
      this.#timeoutMs = limitTime(this.head, routing.timeoutMs, this.#tries.plan.perTryTimeoutMs, this.parts.codec);
    } else {
      this.work.begin(routing.actions ?? null, null);
    }
    const { looksAtAnswers, conditions } = this.#tries.plan;
    // A server of HTTP/2 ends connections while requests are on their way, and says which of them it has not looked at.
    const mayBeRefused = this.protocol === 'http/2';
    this.replay.begin(
      this.idempotent || looksAtAnswers || conditions.resets || mayBeRefused || this.#mirrors(routing).length > 0,
    );
  }

  #mirrors(routing: Routing): readonly MirrorConfig[] {
    return routing.kind === 'forward' && routing.actions !== null ? routing.actions.mirrors : [];
  }

  /**
   * Sends copies of the request, which is complete and has found an endpoint, and forgets them. A body too large to be kept is
   * not mirrored; neither are requests that a fault answers.
   */
  #mirror(body: Buffer): void {
    this.#unmirrored = null;
    if (this.routing === null) return;
    const { config, random, clock } = this.parts;
    const { context } = this.options;
    const client = new NoClient(this.client.protocol);
    for (const to of drawMirrors(this.#mirrors(this.routing), config(), this.#router, random)) {
      const shadow = this.createShadow({ client, context, recorder: null, finished: () => undefined });
      shadow.begin(this.head.bytes, this.head, this.form, clock.monotonicMs(), to);
      shadow.start(body, 0, body.length, true);
    }
  }

  start(bytes: Buffer, bodyStart: number, bodyEnd: number, isLast: boolean): void {
    const routing = this.routing;
    if (routing === null) return;
    if (isLast) this.#requestEnded();
    const { admission } = this.parts;
    if (admission !== undefined) {
      this.admitted = admission.requestBegan();
      if (!this.admitted) {
        this.answer({ status: 503, flag: 'OM', body: 'the sidecar is overloaded\n' });
        return;
      }
    }
    if (routing.kind === 'answer') {
      this.answer(routing);
      return;
    }
    const refusal = routing.limits === undefined ? null : this.#takeTokens(routing.limits);
    if (refusal !== null) {
      this.answer(refusal);
      return;
    }
    if (isLast && this.#mirrors(routing).length > 0) this.#unmirrored = Buffer.from(bytes.subarray(bodyStart, bodyEnd));
    this.forwarding.start(routing, bytes, bodyStart, bodyEnd);
  }

  #takeTokens(limits: readonly RateLimiter[]): MeshAnswer | null {
    const { peerSpiffeId, remote } = this.options.context;
    return this.work.takeTokens(limits, peerSpiffeId ?? remote.host, this.parts.clock.monotonicMs());
  }

  /** Not every protocol towards the server has chunks: where there are none, the body comes without them. */
  #chooseForm(): void {
    const routing = this.routing;
    if (routing?.kind !== 'forward') return;
    const { upstreams } = this.parts;
    this.takesChunked = routing.candidates.every((one) => upstreams.takesChunked(one, this.protocol));
    if (!this.takesChunked) this.form = 'plain';
  }

  body(bytes: Buffer, start: number, end: number, isLast = false): void {
    if (!this.busy) return;
    const { stream } = this.attempt;
    if (this.tunnel) {
      this.record.bytes(end - start, 0);
      if (stream !== null && !stream.sendBody(bytes, start, end, false)) this.client.pauseRequest();
      return;
    }
    this.replay.push(bytes, start, end);
    if (stream === null) {
      if (isLast) this.#requestEnded();
      else if (this.replay.full) this.client.pauseRequest();
      return;
    }
    this.record.bytes(end - start, 0);
    const goOn = stream.sendBody(bytes, start, end, isLast);
    if (isLast) this.#requestEnded();
    else if (!goOn) this.client.pauseRequest();
  }

  trailers(bytes: Buffer, trailers: HeadFields): void {
    if (!this.busy || this.requestDone) return;
    const { stream } = this.attempt;
    // Nobody to send them to yet: the request goes on without them.
    if (stream === null) return;
    this.replay.giveUp();
    this.#trailersSent = true;
    stream.sendTrailers(bytes, trailers);
  }

  end(): void {
    if (!this.busy) return;
    const { stream } = this.attempt;
    if (this.tunnel) {
      stream?.sendBody(noBytes, 0, 0, true);
      this.tunnelEnded();
      return;
    }
    if (this.requestDone) return;
    if (stream !== null && !this.#trailersSent) stream.sendBody(noBytes, 0, 0, true);
    this.#requestEnded();
  }

  /** The request has come to its end: from here the route's timeout runs, as in Envoy. */
  #requestEnded(): void {
    const routing = this.routing;
    this.requestDone = true;
    const isMirrored = routing !== null && this.replay.bytes > 0 && this.#mirrors(routing).length > 0;
    if (isMirrored && this.replay.replayable) {
      const body = Buffer.concat(this.replay.chunks);
      if (this.#isTried) this.#mirror(body);
      else this.#unmirrored = body;
    }
    if (this.heldAnswer !== null) this.heldAnswer();
    else if (!this.#isHeld && routing?.kind === 'forward' && this.#timeoutMs !== null)
      this.parts.timers.add(this, this.#timeoutMs);
  }

  /** The route's timeout does not run meanwhile (Envoy: the router has not seen the request). */
  heldByFault(isHeld: boolean): void {
    const { timers } = this.parts;
    this.#isHeld = isHeld;
    timers.remove(this);
    if (!isHeld && this.requestDone && this.#timeoutMs !== null) timers.add(this, this.#timeoutMs);
  }

  refuseBody(reason: string): void {
    this.fail(400, 'DPE', `the request has ${reason}\n`);
  }

  bodyStalled(): void {
    this.fail(408, 'SI', 'the body of the request has not come\n');
  }

  clientDrained(): void {
    const shaped = this.faults?.shaped;
    if (shaped != null) shaped.clientDrained();
    else this.attempt.stream?.resumeResponse();
  }

  // --- forwarding --------------------------------------------------------------------------------------------------

  tryBegins(): void {
    this.#trailersSent = false;
    if (!this.#isTried) this.work.enter();
    this.#isTried = true;
    if (this.#unmirrored !== null) this.#mirror(this.#unmirrored);
  }

  passedFaults(): boolean {
    const preflight = this.work.answerPreflight(this.routing?.actions ?? null);
    if (preflight !== null) this.answer(preflight);
    return preflight === null;
  }

  faultsDrawn(layer: 'request' | 'attempt', drawn: DrawnFaults | null): void {
    if (drawn !== null) this.faults ??= new RequestFaults(this.parts, this.work, this.client);
    this.faults?.drawn(layer, drawn);
  }

  flag(flag: string): void {
    this.record.flag(flag);
  }

  // --- attempt -----------------------------------------------------------------------------------------------------

  attemptChosen(state: EndpointState): void {
    this.work.upstreamAddress = state.endpoint.endpoint.address;
    this.record.choose(state);
  }

  attemptBegan(sentBytes: number, goOn: boolean): void {
    this.record.bytes(sentBytes, 0);
    if (this.requestDone) return;
    if (goOn) this.client.resumeRequest();
    else this.client.pauseRequest();
  }

  connectFailed(error: UpstreamError): void {
    this.forwarding.connectFailed(error);
  }

  serverDrained(): void {
    if (!this.requestDone || this.tunnel) this.client.resumeRequest();
  }
}

const noBytes = Buffer.alloc(0);

import { pickEndpoint } from '../../policy/pick-endpoint.ts';
import { resetConnection } from '../reset-connection.ts';
import type { HttpEndpoint } from './compiled-service.ts';
import { drawFaults } from './draw-faults.ts';
import { ExchangeLog } from './exchange-log.ts';
import type { ExchangeClient, ExchangeParts, OutgoingRequest } from './exchange-parts.ts';
import { writeAnswer } from './local-answer.ts';
import { ReplayBuffer } from './replay-buffer.ts';
import { type RelayState, ResponseRelay } from './response-relay.ts';
import type { Forward, Routing } from './routing.ts';
import type { UpstreamConnection, UpstreamUser } from './upstream-connection.ts';

const idempotent = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);
/** Istio's default for connect failures: two more attempts, each on an endpoint not tried before. */
const maxConnectAttempts = 3;
/** How long an answer of our own waits for the rest of a short body; after that the connection ends with it. */
const maxHoldMs = 1_000;

/**
 * One request: faults, endpoint, upstream connection, both directions of the relay, and the record of it. Ends exactly
 * once, through `#finish`. Bodies stream: whoever cannot take more bytes stops the reading of the other side.
 */
export class Exchange implements UpstreamUser {
  readonly #parts: ExchangeParts;
  readonly #client: ExchangeClient;
  readonly #request: OutgoingRequest;
  readonly #routing: Routing;
  readonly #log: ExchangeLog;
  readonly #body = new ReplayBuffer();
  readonly #tried: HttpEndpoint[] = [];
  #relay: ResponseRelay;
  #upstream: UpstreamConnection | null = null;
  #connecting: AbortController | null = null;
  #delayTimer: NodeJS.Timeout | null = null;
  #timeoutTimer: NodeJS.Timeout | null = null;
  #heldAnswer: (() => void) | null = null;
  #requestDone = false;
  #finished = false;
  #retried = false;
  #discardsBody = false;
  #headFlushed = false;
  #admitted = false;

  constructor(parts: ExchangeParts, client: ExchangeClient, request: OutgoingRequest, routing: Routing) {
    this.#parts = parts;
    this.#client = client;
    this.#request = request;
    this.#routing = routing;
    this.#log = new ExchangeLog(parts, request, routing);
    this.#relay = this.#createRelay();
  }

  start(): void {
    const routing = this.#routing;
    this.#admitted = this.#parts.admission?.requestBegan() ?? false;
    if (this.#parts.admission !== undefined && !this.#admitted) {
      this.#answer(503, 'OM', 'the sidecar is overloaded\n');
      return;
    }
    if (routing.kind === 'answer') {
      this.#answer(routing.status, routing.flag, routing.body);
      return;
    }
    const { faultsAllowed, clock, telemetry } = this.#parts;
    if (routing.faults.length === 0 || !faultsAllowed()) {
      this.#connect(routing);
      return;
    }
    const { delayMs, abortStatus } = drawFaults(routing.faults, clock.nowMs(), telemetry);
    const proceed = () => {
      this.#delayTimer = null;
      if (abortStatus === null) this.#connect(routing);
      else this.#answer(abortStatus, 'FI', 'fault filter abort');
    };
    if (delayMs === 0) {
      proceed();
      return;
    }
    this.#log.flag('DI');
    this.#delayTimer = setTimeout(proceed, delayMs);
  }

  // --- client side -------------------------------------------------------------------------------------------------

  /** Bytes of the request's body, as they go on. */
  pushBody(bytes: Buffer): void {
    if (this.#finished || this.#discardsBody) return;
    this.#body.push(bytes);
    if (this.#upstream === null) {
      if (this.#body.full) this.#client.setReading(false);
      return;
    }
    this.#log.bytes(bytes.length, 0);
    if (!this.#upstream.socket.write(bytes)) this.#client.setReading(false);
  }

  /** The request is complete. */
  endRequest(): void {
    if (this.#finished) return;
    this.#requestDone = true;
    if (this.#heldAnswer !== null) {
      this.#heldAnswer();
      return;
    }
    const timeoutMs = this.#routing.kind === 'forward' ? this.#routing.timeoutMs : null;
    if (timeoutMs !== null) this.#timeoutTimer = setTimeout(() => this.#timeOut(), timeoutMs);
  }

  /** The body's framing is broken: nothing after it can be trusted. */
  refuseBody(): void {
    this.#fail(400, 'DPE', 'the chunked coding of the request is broken\n');
  }

  clientGone(): void {
    this.#log.clientGone = true;
    this.#log.flag('DC');
    this.#finish(this.#relay.status, false);
  }

  clientDrained(): void {
    if (this.#upstream?.socket.isPaused() === true) this.#upstream.socket.resume();
  }

  // --- upstream side -----------------------------------------------------------------------------------------------

  onUpstreamData(bytes: Buffer): void {
    this.#log.bytes(0, bytes.length);
    this.#proceed(this.#relay.feed(bytes));
    if (!this.#finished && !this.#relay.flowing && this.#client.socket.writableNeedDrain)
      this.#upstream?.socket.pause();
  }

  onUpstreamEnd(): void {
    const state = this.#relay.end();
    if (state === 'done') this.#proceed(state);
    else this.#lostUpstream();
  }

  onUpstreamClose(): void {
    this.#lostUpstream();
  }

  onUpstreamDrain(): void {
    if (!this.#requestDone) this.#client.setReading(true);
  }

  #proceed(state: RelayState): void {
    switch (state) {
      case 'more':
        this.#noteEarlyAnswer();
        return;
      case 'done':
        this.#finish(this.#relay.status, this.#requestDone && !this.#relay.closesClient);
        return;
      case 'switched':
        this.#switchProtocols();
        return;
      case 'broken':
        this.#fail(502, 'UPE', 'the upstream sent no valid HTTP/1.1 response\n');
    }
  }

  /** A final answer before the end of the request, from a server that will close: it wants no more of the body. */
  #noteEarlyAnswer(): void {
    if (this.#relay.status === 0 || this.#requestDone || this.#relay.reusable) return;
    this.#discardsBody = true;
    this.#client.setReading(true);
  }

  #switchProtocols(): void {
    const upstream = this.#upstream;
    if (upstream === null || !this.#requestDone) {
      this.#fail(502, 'UPE', 'the upstream switched protocols in the middle of a request\n');
      return;
    }
    this.#upstream = null;
    const { recorder } = this.#log;
    this.#settle(101);
    this.#client.upgraded(upstream.detach(), this.#relay.rest, recorder);
  }

  // --- connecting --------------------------------------------------------------------------------------------------

  #connect(routing: Forward): void {
    const { activeRequests, pool, random } = this.#parts;
    const untried =
      this.#tried.length === 0 ? routing.candidates : routing.candidates.filter((c) => !this.#tried.includes(c));
    const endpoint = pickEndpoint(untried, (candidate) => activeRequests.get(candidate.key) ?? 0, random);
    if (endpoint === null) {
      this.#answer(503, 'UH', 'no healthy upstream');
      return;
    }
    this.#log.choose(endpoint);
    const pooled = pool.take(endpoint);
    if (pooled === null) this.#connectAfresh(endpoint, routing);
    else this.#attach(pooled);
  }

  #connectAfresh(endpoint: HttpEndpoint, routing: Forward): void {
    const connecting = new AbortController();
    this.#connecting = connecting;
    this.#parts.pool.connect(endpoint, connecting.signal).then(
      (upstream) => {
        if (this.#connecting !== connecting) upstream.destroy();
        else this.#attach(upstream);
      },
      (error: unknown) => {
        if (this.#connecting !== connecting) return;
        this.#connecting = null;
        this.#connectFailed(endpoint, routing, error);
      },
    );
  }

  #connectFailed(endpoint: HttpEndpoint, routing: Forward, error: unknown): void {
    this.#tried.push(endpoint);
    if (this.#tried.length < maxConnectAttempts && this.#tried.length < routing.candidates.length) {
      this.#connect(routing);
      return;
    }
    const reason = error instanceof Error ? error.message : String(error);
    this.#answer(503, 'UF', `upstream connect error: ${reason}\n`);
  }

  #attach(upstream: UpstreamConnection): void {
    this.#connecting = null;
    this.#upstream = upstream;
    upstream.user = this;
    this.#log.attach(upstream.recorder);
    const { socket } = upstream;
    const { chunks, bytes } = this.#body;
    this.#headFlushed = false;
    if (chunks.length > 0) socket.cork();
    let flowing = socket.write(this.#request.head, (error) => {
      if (error === undefined || error === null) this.#headFlushed = true;
    });
    for (const chunk of chunks) flowing = socket.write(chunk);
    if (chunks.length > 0) socket.uncork();
    this.#body.sent();
    this.#log.bytes(this.#request.head.length + bytes, 0);
    if (!this.#requestDone) this.#client.setReading(flowing);
  }

  /** The server closed before the answer was complete. */
  #lostUpstream(): void {
    const upstream = this.#upstream;
    if (this.#finished || upstream === null) return;
    this.#upstream = null;
    upstream.destroy();
    if (this.#relay.started) {
      this.#log.flag('UC');
      this.#abortClient(this.#relay.status);
      return;
    }
    const { endpoint } = this.#log;
    if (endpoint !== null && this.#routing.kind === 'forward' && this.#mayRepeat(upstream)) {
      this.#retried = true;
      this.#relay = this.#createRelay();
      this.#connectAfresh(endpoint, this.#routing);
      return;
    }
    this.#answer(503, 'UC', 'upstream closed the connection before it answered\n');
  }

  /** A kept connection that the server closed while we were sending: once more, when nothing can happen twice. */
  #mayRepeat(upstream: UpstreamConnection): boolean {
    if (!upstream.reused || this.#retried || !this.#body.replayable) return false;
    return idempotent.has(this.#request.method) || !this.#headFlushed;
  }

  #createRelay(): ResponseRelay {
    return new ResponseRelay(this.#parts.codec, this.#request, this.#client.socket, () => {
      return this.#requestDone && this.#request.keepAlive && this.#client.mayLiveOn();
    });
  }

  // --- endings -----------------------------------------------------------------------------------------------------

  #timeOut(): void {
    this.#timeoutTimer = null;
    this.#fail(504, 'UT', 'upstream request timeout');
  }

  /** Answers when nothing was sent yet, otherwise makes the client see that the answer is not complete. */
  #fail(status: number, flag: string, body: string): void {
    if (this.#finished) return;
    this.#dropUpstream();
    if (this.#relay.started) {
      this.#log.flag(flag);
      this.#abortClient(this.#relay.status);
    } else {
      this.#answer(status, flag, body);
    }
  }

  #answer(status: number, flag: string, body: string): void {
    if (!this.#requestDone && this.#request.smallBody && this.#heldAnswer === null && flag !== 'DPE') {
      this.#heldAnswer = () => this.#answer(status, flag, body);
      this.#delayTimer = setTimeout(this.#heldAnswer, maxHoldMs);
      this.#client.setReading(true);
      return;
    }
    this.#log.flag(flag);
    const keepAlive = this.#requestDone && this.#request.keepAlive && this.#client.mayLiveOn();
    const connection = keepAlive ? (this.#request.minor === 0 ? 'keep-alive' : null) : 'close';
    this.#client.socket.write(writeAnswer({ status, flag, body, connection, headOnly: this.#request.headOnly }));
    this.#finish(status, keepAlive);
  }

  /** FIN where the framing tells the loss, so that what was sent still arrives; RST where a FIN would look like the end. */
  #abortClient(status: number): void {
    if (this.#relay.endsWithConnection) {
      this.#settle(status);
      resetConnection(this.#client.socket);
    } else {
      this.#finish(status, false);
    }
  }

  #finish(status: number, keepAlive: boolean): void {
    if (this.#finished) return;
    this.#settle(status);
    this.#client.exchangeFinished(keepAlive);
  }

  #dropUpstream(): void {
    this.#connecting?.abort();
    this.#connecting = null;
    const upstream = this.#upstream;
    this.#upstream = null;
    upstream?.destroy();
  }

  /** Gives everything back and records the request. */
  #settle(status: number): void {
    this.#finished = true;
    if (this.#delayTimer !== null) clearTimeout(this.#delayTimer);
    if (this.#timeoutTimer !== null) clearTimeout(this.#timeoutTimer);
    this.#heldAnswer = null;
    const upstream = this.#upstream;
    if (
      upstream !== null &&
      this.#requestDone &&
      this.#relay.status === status &&
      this.#relay.reusable &&
      !this.#log.clientGone
    ) {
      this.#upstream = null;
      this.#parts.pool.release(upstream, this.#relay.keepAliveSeconds, this.#log.endpoint?.target.tls !== null);
    }
    this.#dropUpstream();
    if (this.#admitted) this.#parts.admission?.requestEnded();
    this.#log.close(status);
  }
}

import type { AttemptOutcome } from '../../policy/retry-conditions.ts';
import type { UpstreamError } from '../connection.ts';
import type { HttpInjection } from '../faults/injection-set.ts';
import type { Attempt } from './attempt.ts';
import type { ResponseHead } from './codec.ts';
import type { HttpEndpoint } from './compiled-service.ts';
import { connectFailureBody } from './connect-failure.ts';
import { type DrawnFaults, drawFaults, isStillOn } from './draw-faults.ts';
import type { ExchangeParts } from './exchange-parts.ts';
import type { RequestReader } from './parsed-request.ts';
import type { ReplayBuffer } from './replay-buffer.ts';
import { toAnswerOutcome } from './retry-plan.ts';
import type { Forward } from './route-plan.ts';
import type { MeshAnswer, ServerLoss } from './streams.ts';
import { notSet, type WheelEntry } from './timer-wheel.ts';
import type { Tries } from './tries.ts';

/** The request that is sent on: an exchange. */
export interface ForwardedRequest {
  readonly busy: boolean;
  /** Nothing of an answer has reached the client: another try may give it. */
  readonly unanswered: boolean;
  readonly idempotent: boolean;
  readonly replay: ReplayBuffer;
  readonly request: RequestReader;
  /** Faults before the router have let it pass. False: it has been answered instead (Envoy's order: fault, cors, router). */
  passedFaults(): boolean;
  /** A try begins. */
  tryBegins(): void;
  /** Faults have hit it, or one try of it; they replace those of the same layer that hit before. `null`: none did. */
  faultsDrawn(layer: HttpInjection['layer'], drawn: DrawnFaults | null): void;
  /** A fault before the router holds it, or not any more. */
  heldByFault(isHeld: boolean): void;
  flag(flag: string): void;
  answer(answer: MeshAnswer): void;
}

/** No attempt of a request is made more often than this on account of connections that were lost unprocessed. */
const maxRepeats = 3;
/** While a request is held by a fault, whether that is still switched on is looked at so often. */
const lookMs = 250;

/**
 * Sends a request on, until an answer begins or nothing can be done any more: faults before the router, admission to the
 * cluster, tries with their faults and limits, repetitions. Reused from request to request.
 */
export class Forwarding implements WheelEntry {
  next: WheelEntry | null = null;
  previous: WheelEntry | null = null;
  dueAtMs = notSet;
  /** It would have been tried again, had there been tries left. */
  exhausted = false;
  readonly #parts: ExchangeParts;
  readonly #owner: ForwardedRequest;
  readonly #attempt: Attempt;
  readonly #tries: Tries;
  #routing: Forward | null = null;
  #cancelWait: (() => void) | null = null;
  #repeats = 0;
  #delayed = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(parts: ExchangeParts, owner: ForwardedRequest, attempt: Attempt, tries: Tries) {
    this.#parts = parts;
    this.#owner = owner;
    this.#attempt = attempt;
    this.#tries = tries;
  }

  /** A new request; `tries` has begun as well. */
  begin(): void {
    this.exhausted = false;
    this.#repeats = 0;
    this.#delayed = false;
  }

  start(routing: Forward, body: Buffer, bodyStart: number, bodyEnd: number): void {
    this.#routing = routing;
    if (!this.#isFaulty(routing)) {
      this.#enter(routing, body, bodyStart, bodyEnd);
      return;
    }
    this.#owner.replay.push(body, bodyStart, bodyEnd);
    this.#withFaults(routing, 'request', () => this.#enter(routing, noBytes, 0, 0));
  }

  connectFailed(error: UpstreamError): void {
    this.#tries.note(unconnected);
    if (this.#repeatsAfter({ kind: 'connect-failure' })) return;
    this.#owner.answer({ status: 503, flag: 'UF', body: connectFailureBody(error) });
  }

  /** The server closed before an answer began. */
  lost(loss: ServerLoss): void {
    if (this.#mayRepeat(loss)) {
      this.#repeats += 1;
      const endpoint = this.#attempt.state?.endpoint;
      if (endpoint !== undefined) this.#try(endpoint, loss.stale, noBytes, 0, 0);
      return;
    }
    this.#tries.note(connected);
    if (this.#repeatsAfter(loss.unprocessed ? { kind: 'refused-stream' } : { kind: 'reset' })) return;
    const { message: body } = loss;
    if (loss.reason === 'protocol') this.#owner.answer({ status: 502, flag: 'UPE', body });
    else if (loss.reason === 'timeout') this.#owner.answer({ status: 504, flag: 'UT', body });
    else this.#owner.answer({ status: 503, flag: loss.reason === 'overload' ? 'UO' : 'UC', body });
  }

  /** True when the request is tried again instead of giving the client this answer. */
  repeatsInsteadOf(bytes: Buffer, head: ResponseHead): boolean {
    this.#tries.note({ kind: 'status', status: head.status });
    const { plan } = this.#tries;
    if (plan.looksAtAnswers && this.#repeatsAfter(toAnswerOutcome(bytes, head, plan))) return true;
    if (plan.perTryTimeoutMs !== null) this.#parts.timers.remove(this);
    return false;
  }

  /** The request is over: stops everything that waits. */
  close(): void {
    this.#stopWaiting();
    this.#parts.timers.remove(this);
    this.#cancelWait?.();
    this.#cancelWait = null;
    this.#tries.close();
    this.#routing = null;
  }

  // --- faults ------------------------------------------------------------------------------------------------------

  #isFaulty(routing: Forward): boolean {
    return routing.faults.length > 0 && this.#parts.faultsAllowed();
  }

  #withFaults(routing: Forward, layer: HttpInjection['layer'], proceed: () => void): void {
    const { clock, telemetry } = this.#parts;
    const owner = this.#owner;
    const moment = { layer, nowMs: clock.nowMs(), attempt: this.#tries.repetitions };
    const drawn = drawFaults(routing.faults, owner.request, moment, telemetry);
    owner.faultsDrawn(layer, drawn);
    if (drawn === null) {
      proceed();
    } else if (drawn.delayMs > 0) {
      if (!this.#delayed) owner.flag('DI');
      this.#delayed = true;
      if (layer === 'request') owner.heldByFault(true);
      this.#hold(drawn, clock.monotonicMs() + drawn.delayMs, () => {
        if (layer === 'request') owner.heldByFault(false);
        this.#go(drawn, layer, proceed);
      });
    } else {
      this.#go(drawn, layer, proceed);
    }
  }

  /** Holds the request until `untilMs`, or until the fault is switched off. */
  #hold(drawn: DrawnFaults, untilMs: number, then: () => void): void {
    const { clock, faultsAllowed, config } = this.#parts;
    const leftMs = untilMs - clock.monotonicMs();
    if (leftMs <= 0 || !faultsAllowed() || !isStillOn(drawn, config().injections, clock.nowMs())) {
      then();
      return;
    }
    this.#timer = setTimeout(
      () => {
        this.#timer = null;
        this.#hold(drawn, untilMs, then);
      },
      Math.min(lookMs, Math.max(1, leftMs)),
    );
  }

  #go(drawn: DrawnFaults, layer: HttpInjection['layer'], proceed: () => void): void {
    const { clock, config, faultsAllowed } = this.#parts;
    const { abort } = drawn;
    if (abort === null || !faultsAllowed() || !isStillOn(drawn, config().injections, clock.nowMs())) {
      proceed();
      return;
    }
    const { httpStatus: status, grpcStatus } = abort;
    if (layer === 'attempt' && this.#repeatsAfter({ kind: 'answer', status, grpcStatus })) return;
    const body = abort.body === '' ? 'fault filter abort' : Buffer.from(abort.body).toString('latin1');
    const headers = Object.entries(abort.headers).map(([name, value]) => [name.toLowerCase(), value] as const);
    const told = grpcStatus === null ? {} : { grpcStatus };
    this.#owner.answer({ status, flag: 'FI', body, headers, ...told });
  }

  // --- tries -------------------------------------------------------------------------------------------------------

  /** Into the cluster, as soon as its limits allow it. */
  #enter(routing: Forward, body: Buffer, bodyStart: number, bodyEnd: number): void {
    if (!this.#owner.passedFaults()) return;
    const admitted = this.#tries.admit(() => {
      this.#cancelWait = null;
      if (this.#owner.busy) this.#begin(routing, noBytes, 0, 0);
    });
    if (admitted.kind === 'send') {
      this.#begin(routing, body, bodyStart, bodyEnd);
    } else if (admitted.kind === 'overflow') {
      this.#owner.answer(overflow);
    } else {
      this.#owner.replay.push(body, bodyStart, bodyEnd);
      this.#cancelWait = admitted.cancel;
    }
  }

  /** A try: its time runs from here, faults included. */
  #begin(routing: Forward, body: Buffer, bodyStart: number, bodyEnd: number): void {
    const { perTryTimeoutMs } = this.#tries.plan;
    if (perTryTimeoutMs !== null) {
      this.#parts.timers.remove(this);
      this.#parts.timers.add(this, perTryTimeoutMs);
    }
    if (!this.#isFaulty(routing)) {
      this.#connect(routing, body, bodyStart, bodyEnd);
      return;
    }
    this.#owner.replay.push(body, bodyStart, bodyEnd);
    this.#withFaults(routing, 'attempt', () => this.#connect(routing, noBytes, 0, 0));
  }

  #connect(routing: Forward, body: Buffer, bodyStart: number, bodyEnd: number): void {
    const endpoint = this.#tries.pick(routing.candidates);
    if (endpoint === null) {
      this.#owner.answer(noHealthyUpstream);
      return;
    }
    this.#tries.began(endpoint);
    this.#try(endpoint, false, body, bodyStart, bodyEnd);
  }

  #try(endpoint: HttpEndpoint, fresh: boolean, body: Buffer, bodyStart: number, bodyEnd: number): void {
    this.#owner.tryBegins();
    this.#attempt.begin(endpoint, fresh, body, bodyStart, bodyEnd);
  }

  /** The time of the request is up before an answer has begun: the endpoint of the try under way has failed. */
  timedOut(): void {
    this.#tries.note(this.#attempt.stream === null ? unconnected : connected);
  }

  /** The time of a try is up. */
  onTimeout(): void {
    const owner = this.#owner;
    if (!owner.busy || !owner.unanswered) return;
    this.timedOut();
    if (this.#repeatsAfter({ kind: 'per-try-timeout' })) return;
    this.#attempt.cancel('cancelled');
    owner.answer({ status: 504, flag: 'UT', body: 'upstream request timeout' });
  }

  /** True when the request will be tried again, so that the outcome is not told. */
  #repeatsAfter(outcome: AttemptOutcome): boolean {
    const routing = this.#routing;
    const owner = this.#owner;
    if (routing === null || !owner.unanswered || !owner.replay.replayable) return false;
    if (!this.#tries.mayTryAgain(outcome)) {
      this.exhausted = this.#tries.isExhausted(outcome);
      return false;
    }
    this.#attempt.cancel('cancelled');
    this.#parts.timers.remove(this);
    this.#stopWaiting();
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#begin(routing, noBytes, 0, 0);
    }, this.#tries.delayMs());
    return true;
  }

  /** A kept connection that the server closed while we were sending: once more, when nothing can happen twice. */
  #mayRepeat(loss: ServerLoss): boolean {
    const { replay, unanswered, idempotent } = this.#owner;
    if (!replay.replayable || !unanswered) return false;
    if (loss.unprocessed) return this.#repeats < maxRepeats;
    return loss.stale && this.#repeats === 0 && idempotent;
  }

  #stopWaiting(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}

const noBytes = Buffer.alloc(0);
const unconnected = { kind: 'local-origin', connected: false } as const;
const connected = { kind: 'local-origin', connected: true } as const;
const noHealthyUpstream = { status: 503, flag: 'UH', body: 'no healthy upstream' };
const overflow = {
  status: 503,
  flag: 'UO',
  body: 'upstream connect error or disconnect/reset before headers. reset reason: overflow',
  headers: [['x-envoy-overloaded', 'true']],
} as const;

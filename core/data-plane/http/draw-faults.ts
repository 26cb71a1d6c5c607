import type { HeaderOperations } from '../../model/traffic-config.ts';
import { drawDelayMs } from '../../policy/decide-injection.ts';
import type { RequestView } from '../../policy/request-view.ts';
import type { TelemetrySink } from '../connection.ts';
import type { HttpAction, HttpInjection, InjectionSet } from '../faults/injection-set.ts';

type Abort = Extract<HttpAction, { kind: 'abort' }>;
export type BodyChange = Extract<HttpAction, { kind: 'body' }>;

/** What is done to the body of an answer. */
export interface ResponseFaults {
  /** `null`: as fast as it goes. The slowest of several counts. */
  readonly bytesPerSecond: number | null;
  /** `null`: whole. The shortest of several counts. */
  readonly cutAfterBytes: number | null;
  /** In their order. */
  readonly body: readonly BodyChange[];
}

/** What hits a request, or one try of it. */
export interface DrawnFaults {
  /** In the order of the configuration. */
  readonly hits: readonly HttpInjection[];
  /** 0: none. Delays of several faults add up. */
  readonly delayMs: number;
  /** After the delay. The first of several counts. */
  readonly abort: Abort | null;
  readonly requestHeaders: readonly HeaderOperations[];
  readonly responseHeaders: readonly HeaderOperations[];
  /** `null`: the body stays as it is. */
  readonly response: ResponseFaults | null;
}

export interface FaultMoment {
  readonly layer: HttpInjection['layer'];
  readonly nowMs: number;
  /** 0: the first try. */
  readonly attempt: number;
}

/**
 * Draws every fault of a layer that is for the request once, independently of the others (Envoy: delay and abort are), and
 * counts it. `null`: none hits.
 */
export function drawFaults(
  faults: readonly HttpInjection[],
  request: RequestView,
  { layer, nowMs, attempt }: FaultMoment,
  telemetry: Pick<TelemetrySink, 'faultSeen'>,
): DrawnFaults | null {
  const hits: HttpInjection[] = [];
  for (const fault of faults) {
    if (fault.layer !== layer || (fault.matches !== null && !fault.matches(request))) continue;
    const hit = fault.decide(nowMs, attempt);
    telemetry.faultSeen(fault.config.id, hit);
    if (hit) hits.push(fault);
  }
  return hits.length === 0 ? null : combine(hits);
}

/** Both layers' in one: the body of an answer gets what each says. */
export function joinResponseFaults(a: ResponseFaults | null, b: ResponseFaults | null): ResponseFaults | null {
  if (a === null || b === null) return a ?? b;
  return {
    bytesPerSecond: least(a.bytesPerSecond, b.bytesPerSecond),
    cutAfterBytes: least(a.cutAfterBytes, b.cutAfterBytes),
    body: [...a.body, ...b.body],
  };
}

/** Whether any of them is: not cleared, and not expired. The lease is another matter. */
export function isStillOn(
  { hits }: Pick<DrawnFaults, 'hits'>,
  { byId }: Pick<InjectionSet, 'byId'>,
  nowMs: number,
): boolean {
  return hits.some(({ config: { id, expiresAtMs } }) => byId.has(id) && (expiresAtMs === null || nowMs < expiresAtMs));
}

function combine(hits: readonly HttpInjection[]): DrawnFaults {
  let delayMs = 0;
  let abort: Abort | null = null;
  const requestHeaders: HeaderOperations[] = [];
  const responseHeaders: HeaderOperations[] = [];
  let response: ResponseFaults | null = null;
  for (const { action, random } of hits) {
    if (action.kind === 'delay') delayMs += drawDelayMs(action.delay, random);
    else if (action.kind === 'abort') abort ??= action;
    else if (action.kind === 'headers') {
      if (action.request !== null) requestHeaders.push(action.request);
      if (action.response !== null) responseHeaders.push(action.response);
    } else response = joinResponseFaults(response, toResponseFaults(action));
  }
  return { hits, delayMs, abort, requestHeaders, responseHeaders, response };
}

function toResponseFaults(
  action: Extract<HttpAction, { kind: 'body' | 'truncate' | 'response-bandwidth' }>,
): ResponseFaults {
  return {
    bytesPerSecond: action.kind === 'response-bandwidth' ? action.bytesPerSecond : null,
    cutAfterBytes: action.kind === 'truncate' ? action.afterBytes : null,
    body: action.kind === 'body' ? [action] : [],
  };
}

function least(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b);
}

import { hashRequest } from '../../policy/hash-key.ts';
import type { EndpointResult } from '../../policy/outlier-detection.ts';
import { pickEndpoint } from '../../policy/pick-endpoint.ts';
import type { RequestView } from '../../policy/request-view.ts';
import type { AttemptOutcome } from '../../policy/retry-conditions.ts';
import { retryDelayMs } from '../../policy/retry-delay.ts';
import type { Clock } from '../../shared/clock.ts';
import type { Random } from '../../shared/random.ts';
import type { Cluster } from '../upstream/cluster.ts';
import type { ClusterSet } from '../upstream/cluster-set.ts';
import type { HttpEndpoint } from './compiled-service.ts';
import { coversOutcome, noRetries, type RetryPlan } from './retry-plan.ts';
import type { Forward } from './route-plan.ts';
import type { ClientStream } from './streams.ts';
import type { Upstreams } from './upstreams.ts';

export interface TriesParts {
  readonly upstreams: Upstreams;
  readonly clusters: ClusterSet<HttpEndpoint>;
  readonly random: Random;
  readonly clock: Clock;
}

export type Admission = typeof sendNow | typeof overflow | { readonly kind: 'wait'; cancel(): void };

const none: readonly HttpEndpoint[] = [];

/**
 * Where a request has been tried, where it goes next, and whether it may be tried again. Reused from request to request.
 * Without a traffic policy there is no cluster, and nothing here costs more than the draw of an endpoint.
 */
export class Tries {
  plan: RetryPlan = noRetries;
  /** `set-cookie` that the answer has to carry, for a hash by cookie. */
  setCookie: string | null = null;
  readonly #parts: TriesParts;
  readonly #asks: { readonly protocol: ClientStream['protocol'] };
  #left = 0;
  #repetitions = 0;
  #isRetry = false;
  #tried: HttpEndpoint[] | readonly HttpEndpoint[] = none;
  #keyHash: number | null = null;
  #cluster: Cluster<HttpEndpoint> | null = null;
  #endpoint: HttpEndpoint | null = null;
  #result: EndpointResult | null = null;

  /** @param asks what the request under way is carried by */
  constructor(parts: TriesParts, asks: { readonly protocol: ClientStream['protocol'] }) {
    this.#parts = parts;
    this.#asks = asks;
  }

  /** Tries after the first, so far. */
  get repetitions(): number {
    return this.#repetitions;
  }

  /** A new request. */
  begin(routing: Forward, request: RequestView, clientAddress: string): void {
    this.plan = routing.retry;
    this.#left = this.plan.attempts;
    this.#repetitions = 0;
    this.#tried = none;
    this.setCookie = null;
    this.#keyHash = null;
    this.#cluster = null;
    const { cluster } = routing;
    if (cluster === null) return;
    const { clusters, clock, random } = this.#parts;
    const { service, subset, port, policy } = cluster;
    this.#cluster = clusters.get(service, subset, port, policy, routing.candidates, clock.monotonicMs());
    if (policy.loadBalancer?.kind !== 'hash') return;
    const { hash, setCookie } = hashRequest(policy.loadBalancer.key, { request, clientAddress }, random);
    this.#keyHash = hash;
    this.setCookie = setCookie;
  }

  /** Whether the cluster takes one more request now. `whenRoom` is called later, once, if it has to wait. */
  admit(whenRoom: () => void): Admission {
    const cluster = this.#cluster;
    if (cluster === null) return sendNow;
    const decision = cluster.admit(false);
    if (decision === 'send') return sendNow;
    if (decision === 'overflow') return overflow;
    return { kind: 'wait', cancel: cluster.wait(whenRoom) };
  }

  /** Who gets the next try; `null`: nobody may (503 `UH`). */
  pick(candidates: readonly HttpEndpoint[]): HttpEndpoint | null {
    const { upstreams, random, clock } = this.#parts;
    const tried = this.plan.avoidPreviousHosts ? this.#tried : none;
    const leaves = this.plan.remoteLocalities ? this.#tried : none;
    if (this.#cluster !== null)
      return this.#cluster.pick({ keyHash: this.#keyHash, tried, leaves }, clock.monotonicMs());
    if (candidates.length === 1) return candidates[0] ?? null;
    const untried = tried.length === 0 ? candidates : candidates.filter((one) => !tried.includes(one));
    const among = untried.length === 0 ? candidates : untried;
    return pickEndpoint(among, (one) => upstreams.stateOf(one, this.#asks.protocol).active, random);
  }

  began(endpoint: HttpEndpoint): void {
    this.#endpoint = endpoint;
    this.#result = null;
    this.#cluster?.began(endpoint);
  }

  /** How the endpoint did; counted when the try ends. */
  note(result: EndpointResult): void {
    this.#result = result;
  }

  /** The try has ended. */
  ended(): void {
    const endpoint = this.#endpoint;
    this.#endpoint = null;
    if (this.#cluster === null) return;
    if (this.#isRetry) this.#cluster.retryEnded();
    this.#isRetry = false;
    // A fault may have ended it before an endpoint was chosen.
    if (endpoint !== null) this.#cluster.ended(endpoint, this.#result, this.#parts.clock.monotonicMs());
  }

  /** Whether one more try may follow this outcome of the one under way; with it counted. */
  mayTryAgain(outcome: AttemptOutcome): boolean {
    if (this.#left <= 0 || !coversOutcome(this.plan, outcome)) return false;
    const endpoint = this.#endpoint;
    if (this.#cluster !== null && !this.#cluster.beginRetry()) return false;
    this.ended();
    this.#isRetry = this.#cluster !== null;
    this.#left -= 1;
    this.#repetitions += 1;
    if (endpoint !== null) this.#tried = [...this.#tried, endpoint];
    return true;
  }

  /** The outcome would have been repeated, had there been tries left (Envoy's flag `URX`). */
  isExhausted(outcome: AttemptOutcome): boolean {
    return this.#repetitions > 0 && this.#left <= 0 && coversOutcome(this.plan, outcome);
  }

  /** How long to wait before the try that `mayTryAgain` allowed. */
  delayMs(): number {
    return retryDelayMs(this.#repetitions, this.#parts.random, this.plan.backoffBaseMs);
  }

  /** The request is over. */
  close(): void {
    this.ended();
    this.#cluster = null;
  }
}

const sendNow = { kind: 'send' } as const;
const overflow = { kind: 'overflow' } as const;

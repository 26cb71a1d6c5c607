/**
 * `upstream/`: what a sidecar knows of the endpoints it sends to. A cluster is the endpoints of a service, or of one of its
 * subsets, on one port, under one traffic policy (Istio DestinationRule): who may get traffic, who gets the next request,
 * how many requests, connections and repetitions may be under way. Decisions are in policy/; here is the state they need.
 *
 * It sends nothing and knows no protocol. Times are monotonic milliseconds and arguments.
 */
import type { ClusterPolicy } from '../../model/traffic-config.ts';
import {
  type Balancer,
  createLeastRequest,
  createRandomChoice,
  createRoundRobin,
  warmUpShare,
} from '../../policy/balance.ts';
import { admitRequest, type ConnectionLimits, unlimited } from '../../policy/connection-limits.ts';
import { createHashRing, createMaglev, type HashTable } from '../../policy/consistent-hash.ts';
import { type EndpointResult, OutlierDetector } from '../../policy/outlier-detection.ts';
import { isPanic } from '../../policy/priority-load.ts';
import { mayRetry, type RetryLimit } from '../../policy/retry-budget.ts';
import type { Random } from '../../shared/random.ts';

/** Equal keys are the same endpoint, from one configuration to the next. */
export interface ClusterMember {
  readonly key: string;
}

export interface PickRequest<T> {
  /** With consistent hash: hash of the key; `null` when the request has none (then any endpoint will do). */
  readonly keyHash: number | null;
  /** Endpoints of earlier attempts, which are avoided as long as there are others. */
  readonly tried: readonly T[];
}

/** Envoy's `host_selection_retry_max_attempts` as Istio sets it: so often another draw avoids what was tried. */
const maxSelections = 5;

export class Cluster<T extends ClusterMember> {
  readonly policy: ClusterPolicy;
  readonly #limits: ConnectionLimits;
  readonly #retryLimit: RetryLimit;
  readonly #balancer: Balancer<T>;
  readonly #outliers: OutlierDetector | null;
  readonly #active = new Map<string, number>();
  readonly #seenSinceMs = new Map<string, number>();
  #members: readonly T[] = [];
  #usable: readonly T[] = [];
  #ejectedCount = 0;
  #table: HashTable | null = null;
  #sweptAtMs: number;
  #nowMs: number;
  #requests = 0;
  #retries = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(policy: ClusterPolicy, random: Random, nowMs: number) {
    const { outlier, warmUp } = policy;
    this.policy = policy;
    this.#sweptAtMs = nowMs;
    this.#nowMs = nowMs;
    this.#limits = {
      maxConnections: policy.maxConnections ?? unlimited,
      maxPendingRequests: policy.maxPendingRequests ?? unlimited,
      maxRequests: policy.maxRequests ?? unlimited,
    };
    this.#retryLimit = toRetryLimit(policy);
    this.#outliers = outlier === undefined ? null : new OutlierDetector(outlier);
    const weightOf = (member: T) => this.#warmUpOf(member);
    const options = {
      random,
      activeRequests: (member: T) => this.activeOn(member),
      ...(warmUp === undefined ? {} : { weightOf }),
    };
    this.#balancer = toBalancer<T>(policy, options);
  }

  get requests(): number {
    return this.#requests;
  }

  get ejected(): number {
    return this.#outliers?.ejectedCount ?? 0;
  }

  /** The endpoints there are now; the same list as before costs nothing. */
  update(members: readonly T[], nowMs: number): void {
    if (members === this.#members) return;
    const isFirst = this.#members.length === 0;
    this.#members = members;
    const keys = new Set(members.map(({ key }) => key));
    for (const key of this.#seenSinceMs.keys()) if (!keys.has(key)) this.#seenSinceMs.delete(key);
    // Those that are there from the beginning are warm: nobody has seen them colder than the others.
    const since = isFirst ? Number.NEGATIVE_INFINITY : nowMs;
    for (const key of keys) if (!this.#seenSinceMs.has(key)) this.#seenSinceMs.set(key, since);
    this.#outliers?.retain(keys);
    this.#refresh();
  }

  /** Who gets the next request; `null` when no endpoint may have it (503 `UH`). */
  pick({ keyHash, tried }: PickRequest<T>, nowMs: number): T | null {
    this.#sweep(nowMs);
    const { loadBalancer } = this.policy;
    if (loadBalancer?.kind === 'hash' && keyHash !== null) return this.#pickByHash(keyHash);
    let picked = this.#balancer.pick(this.#usable);
    for (let draw = 1; draw < maxSelections && picked !== null && tried.includes(picked); draw += 1) {
      const others = this.#usable.filter((member) => !tried.includes(member));
      picked = this.#balancer.pick(others.length > 0 ? others : this.#usable);
      if (others.length === 0) break;
    }
    return picked;
  }

  /** Whether one more request may go out; see policy/connection-limits.ts. */
  admit(hasIdle: boolean): 'send' | 'wait' | 'overflow' {
    // With HTTP/1.1 a request has a connection for itself, so as many are taken as there are requests.
    const load = { connections: this.#requests, pending: this.#waiting.length, requests: this.#requests };
    return admitRequest(this.#limits, load, hasIdle);
  }

  /** For a request that has to wait: `whenRoom` is called once, when it may go. Returns what takes it out of the queue. */
  wait(whenRoom: () => void): () => void {
    this.#waiting.push(whenRoom);
    return () => {
      const index = this.#waiting.indexOf(whenRoom);
      if (index >= 0) this.#waiting.splice(index, 1);
    };
  }

  /** Whether one more repetition may be under way; with it counted, until `retryEnded`. */
  beginRetry(): boolean {
    if (!mayRetry(this.#retryLimit, this.#retries, this.#requests + this.#waiting.length)) return false;
    this.#retries += 1;
    return true;
  }

  retryEnded(): void {
    this.#retries -= 1;
  }

  activeOn(member: T): number {
    return this.#active.get(member.key) ?? 0;
  }

  /** A request goes to `member`. */
  began(member: T): void {
    this.#requests += 1;
    this.#active.set(member.key, this.activeOn(member) + 1);
  }

  /** It has ended. `result` `null`: the endpoint is not to blame and not to praise (the client went away). */
  ended(member: T, result: EndpointResult | null, nowMs: number): void {
    this.#requests -= 1;
    const active = this.activeOn(member) - 1;
    if (active > 0) this.#active.set(member.key, active);
    else this.#active.delete(member.key);
    if (result !== null && this.#outliers?.record(member.key, result, nowMs) === true) this.#refresh();
    const next =
      this.#waiting.length > 0 && this.#requests < this.#limits.maxConnections ? this.#waiting.shift() : null;
    // Not inside whatever has just ended.
    if (next != null) setImmediate(next);
  }

  isEjected(member: T): boolean {
    return this.#outliers?.isEjected(member.key) ?? false;
  }

  #pickByHash(keyHash: number): T | null {
    this.#table ??= this.#createTable();
    const index = this.#table(keyHash);
    return index === null ? null : (this.#usable[index] ?? null);
  }

  #createTable(): HashTable {
    const { loadBalancer } = this.policy;
    if (loadBalancer?.kind !== 'hash') return () => null;
    const create = loadBalancer.table === 'ring' ? createHashRing : createMaglev;
    return create(this.#usable, loadBalancer.size);
  }

  /** Instead of a timer: whoever asks first after an interval does the sweep. */
  #sweep(nowMs: number): void {
    this.#nowMs = nowMs;
    const { outlier } = this.policy;
    if (this.#outliers === null || outlier === undefined) return;
    if (nowMs - this.#sweptAtMs < outlier.intervalMs) return;
    this.#sweptAtMs = nowMs;
    this.#outliers.sweep(nowMs);
    if (this.#outliers.ejectedCount !== this.#ejectedCount) this.#refresh();
  }

  #refresh(): void {
    const outliers = this.#outliers;
    this.#ejectedCount = outliers?.ejectedCount ?? 0;
    this.#table = null;
    if (outliers === null || this.#ejectedCount === 0) {
      this.#usable = this.#members;
      return;
    }
    const healthy = this.#members.filter(({ key }) => !outliers.isEjected(key));
    const health = { healthy: healthy.length, total: this.#members.length };
    this.#usable = isPanic(health, this.policy.outlier?.minHealthPercent ?? 0) ? this.#members : healthy;
  }

  #warmUpOf(member: T): number {
    const { warmUp } = this.policy;
    if (warmUp === undefined) return 1;
    const ageMs = this.#nowMs - (this.#seenSinceMs.get(member.key) ?? Number.NEGATIVE_INFINITY);
    return warmUpShare(ageMs, warmUp.durationMs, warmUp.minimumPercent, warmUp.aggression);
  }
}

function toRetryLimit({ maxRetries, retryBudget }: ClusterPolicy): RetryLimit {
  if (retryBudget !== undefined) return { kind: 'budget', ...retryBudget };
  return maxRetries === undefined ? { kind: 'unlimited' } : { kind: 'count', maxRetries };
}

function toBalancer<T>(
  { loadBalancer }: ClusterPolicy,
  options: Parameters<typeof createLeastRequest<T>>[0],
): Balancer<T> {
  switch (loadBalancer?.kind) {
    case 'round-robin':
      return createRoundRobin(options);
    case 'random':
    // A request without a key goes anywhere (Envoy: to a random host).
    case 'hash':
      return createRandomChoice(options);
    default:
      return createLeastRequest(options);
  }
}

/**
 * `upstream/`: what a sidecar knows of the endpoints it sends to. A cluster is the endpoints of a service, or of one of its
 * subsets, on one port, under one traffic policy (Istio DestinationRule): who may get traffic, who gets the next request,
 * how many requests, connections and repetitions may be under way. Decisions are in policy/; here is the state they need.
 *
 * It sends nothing and knows no protocol. Times are monotonic milliseconds and arguments.
 */
import type { ClusterPolicy, EndpointShare } from '../../model/traffic-config.ts';
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
import { planPriorities } from '../../policy/priority-load.ts';
import { mayRetry, type RetryLimit } from '../../policy/retry-budget.ts';
import type { Random } from '../../shared/random.ts';
import { LocalityLevels } from './locality-levels.ts';

/** Equal keys are the same endpoint, from one configuration to the next. */
export interface ClusterMember {
  readonly key: string;
  /** By locality; absent: like all others. */
  readonly share?: EndpointShare;
  /** What it is spoken to in; absent: what the client speaks. */
  readonly speaks?: 'http/1.1' | 'http/2';
}

export interface PickRequest<T> {
  /** With consistent hash: hash of the key; `null` when the request has none (then any endpoint will do). */
  readonly keyHash: number | null;
  /** Endpoints of earlier attempts, which are avoided as long as there are others. */
  readonly tried: readonly T[];
  /** Where earlier attempts went: with every second one, others of their priorities are left out (Istio `retryRemoteLocalities`). */
  readonly leaves?: readonly T[];
}

/** Envoy's `host_selection_retry_max_attempts` as Istio sets it: so often another draw avoids what was tried. */
const maxSelections = 5;

export class Cluster<T extends ClusterMember> {
  readonly policy: ClusterPolicy;
  readonly #limits: ConnectionLimits;
  readonly #retryLimit: RetryLimit;
  readonly #balancer: Balancer<T>;
  readonly #createBalancer: (isWeighted: boolean) => Balancer<T>;
  readonly #random: Random;
  /** By the name of the locality group: each takes turns of its own. */
  readonly #balancers = new Map<string, Balancer<T>>();
  readonly #tables = new Map<string, HashTable>();
  /** Set when shares by locality are in force. */
  #levels: LocalityLevels<T> | null = null;
  /** Keys of those that fail their health checks. */
  readonly #failing = new Set<string>();
  readonly #outliers: OutlierDetector | null;
  readonly #active = new Map<string, number>();
  readonly #seenSinceMs = new Map<string, number>();
  #members: readonly T[] = [];
  #usable: readonly T[] = [];
  #ejectedCount = 0;
  /** One connection takes many requests: limits of connections and of waiting for one do not limit requests. */
  #isMultiplexed = false;
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
    this.#random = random;
    const weightOf = (member: T) => this.#warmUpOf(member) * (member.share?.weight ?? 1);
    const options = { random, activeRequests: (member: T) => this.activeOn(member) };
    this.#createBalancer = (isWeighted) => toBalancer<T>(policy, isWeighted ? { ...options, weightOf } : options);
    this.#balancer = this.#createBalancer(warmUp !== undefined);
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
    for (const key of this.#failing) if (!keys.has(key)) this.#failing.delete(key);
    this.#isMultiplexed = members.every(({ speaks }) => speaks === 'http/2');
    const isShared = members.some(({ share }) => share !== undefined);
    if (!isShared) this.#levels = null;
    else this.#levels ??= new LocalityLevels<T>(this.policy.outlier?.minHealthPercent ?? 0);
    this.#balancers.clear();
    this.#refresh();
  }

  get members(): readonly T[] {
    return this.#members;
  }

  /** What an active health check found. One that passes lets an ejected endpoint back in (Envoy's default). */
  checked(member: T, isHealthy: boolean): void {
    if (isHealthy) this.#outliers?.healthCheckPassed(member.key);
    const changed = isHealthy ? this.#failing.delete(member.key) : !this.#failing.has(member.key);
    if (!isHealthy) this.#failing.add(member.key);
    if (changed || this.ejected !== this.#ejectedCount) this.#refresh();
  }

  /** Nobody is asked any more. */
  forgetChecks(): void {
    if (this.#failing.size === 0) return;
    this.#failing.clear();
    this.#refresh();
  }

  /** Who gets the next request; `null` when no endpoint may have it (503 `UH`). */
  pick({ keyHash, tried, leaves }: PickRequest<T>, nowMs: number): T | null {
    this.#sweep(nowMs);
    const { loadBalancer } = this.policy;
    if (loadBalancer?.kind === 'hash' && keyHash !== null) return this.#pickByHash(keyHash);
    if (this.#levels !== null) return this.#pickByPlace(this.#levels, tried, leaves ?? []);
    return pickUntried(this.#balancer, this.#usable, tried);
  }

  /** Whether one more request may go out; see policy/connection-limits.ts. */
  admit(hasIdle: boolean): 'send' | 'wait' | 'overflow' {
    if (this.#isMultiplexed) return this.#requests < this.#limits.maxRequests ? 'send' : 'overflow';
    // With HTTP/1.1 a request has a connection for itself, so as many are taken as there are requests.
    const load = { connections: this.#requests, pending: this.#waiting.length, requests: this.#requests };
    return admitRequest(this.#limits, load, hasIdle);
  }

  /** Whether one more TCP connection may be made; each is counted as a request is. */
  get admitsConnection(): boolean {
    return this.#requests < this.#limits.maxConnections;
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
    if (result !== null) this.note(member, result, nowMs);
    const next =
      this.#waiting.length > 0 && this.#requests < this.#limits.maxConnections ? this.#waiting.shift() : null;
    // Not inside whatever has just ended.
    if (next != null) setImmediate(next);
  }

  /** Counts how the endpoint did, for outlier detection. */
  note(member: T, result: EndpointResult, nowMs: number): void {
    if (this.#outliers?.record(member.key, result, nowMs) === true) this.#refresh();
  }

  /** It fails its health checks. */
  isFailing(member: T): boolean {
    return this.#failing.has(member.key);
  }

  isEjected(member: T): boolean {
    return this.#outliers?.isEjected(member.key) ?? false;
  }

  #pickByPlace(levels: LocalityLevels<T>, tried: readonly T[], leaves: readonly T[]): T | null {
    // Envoy's `update_frequency` as Istio sets it: 2.
    const left = leaves.slice(0, leaves.length - (leaves.length % 2));
    const excluded = left.length === 0 ? null : new Set(left.map((member) => levels.levelOf(member)));
    const group = levels.pick(this.#random(), this.#random, excluded);
    if (group === null) return null;
    let balancer = this.#balancers.get(group.name);
    if (balancer === undefined) {
      balancer = this.#createBalancer(true);
      this.#balancers.set(group.name, balancer);
    }
    return pickUntried(balancer, group.members, tried);
  }

  #pickByHash(keyHash: number): T | null {
    const all = this.#levels === null ? null : this.#levels.pickAll((keyHash % 100) / 100);
    if (this.#levels !== null && all === null) return null;
    const members = all?.members ?? this.#usable;
    const name = all?.name ?? '';
    let table = this.#tables.get(name);
    if (table === undefined) {
      table = this.#createTable(members);
      this.#tables.set(name, table);
    }
    const index = table(keyHash);
    return index === null ? null : (members[index] ?? null);
  }

  #createTable(members: readonly T[]): HashTable {
    const { loadBalancer } = this.policy;
    if (loadBalancer?.kind !== 'hash') return () => null;
    const create = loadBalancer.table === 'ring' ? createHashRing : createMaglev;
    return create(members, loadBalancer.size);
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
    this.#tables.clear();
    const isHealthy = ({ key }: T) => !this.#failing.has(key) && outliers?.isEjected(key) !== true;
    if (this.#levels !== null) {
      this.#levels.update(this.#members, isHealthy);
      return;
    }
    if (this.#ejectedCount + this.#failing.size === 0) {
      this.#usable = this.#members;
      return;
    }
    const healthy = this.#members.filter(isHealthy);
    const health = { healthy: healthy.length, total: this.#members.length };
    const { panic } = planPriorities([health], this.policy.outlier?.minHealthPercent ?? 0);
    this.#usable = panic[0] === true ? this.#members : healthy;
  }

  #warmUpOf(member: T): number {
    const { warmUp } = this.policy;
    if (warmUp === undefined) return 1;
    const ageMs = this.#nowMs - (this.#seenSinceMs.get(member.key) ?? Number.NEGATIVE_INFINITY);
    return warmUpShare(ageMs, warmUp.durationMs, warmUp.minimumPercent, warmUp.aggression);
  }
}

/** Another draw, as long as one that was tried comes up and there are others. */
function pickUntried<T>(balancer: Balancer<T>, usable: readonly T[], tried: readonly T[]): T | null {
  let picked = balancer.pick(usable);
  for (let draw = 1; draw < maxSelections && picked !== null && tried.includes(picked); draw += 1) {
    const others = usable.filter((member) => !tried.includes(member));
    picked = balancer.pick(others.length > 0 ? others : usable);
    if (others.length === 0) break;
  }
  return picked;
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

/**
 * `faults/`: the faults that this sidecar makes on purpose, compiled once per configuration and asked request by request,
 * connection by connection, question by question.
 *
 *   injection   one fault: whether it hits (`decide`), and its own random numbers for what it does (`random`)
 *   set         the injections of a configuration, by service and by what they act on
 *   layer       `request`: before the router, once per request, as Envoy's fault filter; `attempt`: inside every try
 *
 * Whoever asks also looks at the lease first (control/fault-lease.ts), and tells telemetry with `faultSeen(id, hit)`.
 * Must not: do what a fault says; http/, tcp/, dns/ and tls/ do that.
 */
import type { InjectionAction, InjectionConfig } from '../../model/injection-config.ts';
import type { FaultConfig, HttpMatch } from '../../model/sidecar-config.ts';
import { createInjectionDecider } from '../../policy/decide-injection.ts';
import { compileMatch } from '../../policy/match-conditions.ts';
import type { RequestView } from '../../policy/request-view.ts';
import { createSeededRandom, type Random } from '../../shared/random.ts';

export type HttpAction = Extract<
  InjectionAction,
  { kind: 'delay' | 'abort' | 'response-bandwidth' | 'headers' | 'body' | 'truncate' }
>;
export type TcpAction = Extract<InjectionAction, { kind: `tcp-${string}` }>;
export type DnsAction = Extract<InjectionAction, { kind: `dns-${string}` }>;
export type IdentityAction = Extract<InjectionAction, { kind: `identity-${string}` }>;

/** Of a request. */
export interface HttpInjection extends Injection<HttpAction> {
  readonly layer: 'request' | 'attempt';
  /** Whether it is for this request; `null`: for every one. */
  readonly matches: ((request: RequestView) => boolean) | null;
}

/** A fault with its state: what it has counted and drawn. One object as long as its configuration says the same. */
export interface Injection<A extends InjectionAction = InjectionAction> {
  readonly config: InjectionConfig;
  readonly action: A;
  /** Of the fault's own seed, apart from the draws of `decide`: for jitter, sizes and the like. */
  readonly random: Random;
  /**
   * Whether it hits; every call counts for triggers and draws. `nowMs`: the control plane's wall clock. `attempt` 0: the
   * first try of a request; connections and questions are always 0.
   */
  decide(nowMs: number, attempt: number): boolean;
}

/** Injections of one service, in the order of the configuration. */
export interface ServiceInjections {
  readonly http: readonly HttpInjection[];
  readonly tcp: readonly Injection<TcpAction>[];
  readonly dns: readonly Injection<DnsAction>[];
  readonly identity: readonly Injection<IdentityAction>[];
}

export interface InjectionSet {
  /** Of a service key; the same empty object for a service without. */
  of(service: string): ServiceInjections;
  /** State for the next configuration, by id. */
  readonly byId: ReadonlyMap<string, Injection>;
}

const none: ServiceInjections = { http: [], tcp: [], dns: [], identity: [] };

export const noInjections: InjectionSet = { of: () => none, byId: new Map() };

/** A VirtualService's fault, as an injection before the router. */
export function toRequestInjection(fault: FaultConfig): InjectionConfig {
  const { id, service, route, action, percent, seed, expiresAtMs } = fault;
  return {
    ...{ id, service, route, percent, seed, expiresAtMs },
    port: null,
    match: [],
    action:
      action.kind === 'delay'
        ? { kind: 'delay', delay: { kind: 'fixed', ms: action.delayMs } }
        : {
            kind: 'abort',
            httpStatus: action.httpStatus,
            grpcStatus: action.grpcStatus ?? null,
            headers: {},
            body: '',
          },
    trigger: { kind: 'always' },
    schedule: null,
    sinceMs: 0,
    layer: 'request',
  };
}

/** Of a service's route (`null`: none) and port; the same list for all requests that it is for. */
export function onRoute({ http }: ServiceInjections, route: string | null, port: number): readonly HttpInjection[] {
  if (http.length === 0) return http;
  return onPort(http, port).filter(({ config }) => config.route === null || config.route === route);
}

/** With `previous`, what did not change goes on in its counts and draws, and a service's injections stay the same object. */
export function compileInjections(
  configs: readonly InjectionConfig[],
  previous: InjectionSet = noInjections,
): InjectionSet {
  if (configs.length === 0) return noInjections;
  const byId = new Map<string, Injection>();
  for (const config of configs) byId.set(config.id, carryOver(config, previous.byId.get(config.id)));
  const lists = new Map<string, Injection[]>();
  for (const injection of byId.values()) {
    const { service } = injection.config;
    lists.set(service, [...(lists.get(service) ?? []), injection]);
  }
  const services = new Map<string, ServiceInjections>();
  for (const [service, list] of lists) {
    const before = previous.of(service);
    const now = toServiceInjections(list);
    services.set(service, isSame(before, now) ? before : now);
  }
  return { of: (service) => services.get(service) ?? none, byId };
}

/** Those that are for every port, or for this one; the same list when that is all of them. */
export function onPort<I extends Injection>(injections: readonly I[], port: number): readonly I[] {
  const isForPort = ({ config }: I) => config.port === null || config.port === port;
  return injections.every(isForPort) ? injections : injections.filter(isForPort);
}

function carryOver(config: InjectionConfig, before: Injection | undefined): Injection {
  if (before !== undefined && JSON.stringify(before.config) === JSON.stringify(config)) return before;
  const decide = createInjectionDecider(config);
  return {
    config,
    action: config.action,
    // Another sequence than that of the decider, or amounts would follow the hits.
    random: createSeededRandom(~config.seed),
    decide: (nowMs, attempt) => decide({ nowMs, attempt }),
  };
}

function toServiceInjections(list: readonly Injection[]): ServiceInjections {
  const isOf = (prefix: string) => (injection: Injection) => injection.action.kind.startsWith(prefix);
  const [tcp, dns, identity] = ['tcp-', 'dns-', 'identity-'].map((prefix) => list.filter(isOf(prefix)));
  return {
    http: list.filter(isHttp).map(toHttp),
    tcp: tcp as Injection<TcpAction>[],
    dns: dns as Injection<DnsAction>[],
    identity: identity as Injection<IdentityAction>[],
  };
}

function isHttp(injection: Injection): injection is Injection<HttpAction> {
  return !/^(?:tcp|dns|identity)-/.test(injection.action.kind);
}

const toHttpOf = new WeakMap<Injection, HttpInjection>();

/** Made once per injection, so that lists of the same injections are the same. */
function toHttp(injection: Injection<HttpAction>): HttpInjection {
  const known = toHttpOf.get(injection);
  if (known !== undefined) return known;
  const { layer = 'attempt', match } = injection.config;
  const made: HttpInjection = { ...injection, layer, matches: compileMatches(match as readonly HttpMatch[]) };
  toHttpOf.set(injection, made);
  return made;
}

/** Conditions of one block are ANDed, blocks are ORed. */
function compileMatches(blocks: readonly HttpMatch[]): HttpInjection['matches'] {
  if (blocks.length === 0) return null;
  const compiled = blocks.map((block) => compileMatch(block));
  return (request) => compiled.some((conditions) => conditions.every(({ test }) => test(request)));
}

function isSame(a: ServiceInjections, b: ServiceInjections): boolean {
  const layers = ['http', 'tcp', 'dns', 'identity'] as const;
  return layers.every(
    (layer) => a[layer].length === b[layer].length && a[layer].every((one, index) => one === b[layer][index]),
  );
}

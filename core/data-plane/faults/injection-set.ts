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
import { createInjectionDecider } from '../../policy/decide-injection.ts';
import { createSeededRandom, type Random } from '../../shared/random.ts';

export type HttpAction = Extract<
  InjectionAction,
  { kind: 'delay' | 'abort' | 'response-bandwidth' | 'headers' | 'body' | 'truncate' }
>;
export type TcpAction = Extract<InjectionAction, { kind: `tcp-${string}` }>;
export type DnsAction = Extract<InjectionAction, { kind: `dns-${string}` }>;
export type IdentityAction = Extract<InjectionAction, { kind: `identity-${string}` }>;

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
  readonly http: readonly Injection<HttpAction>[];
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
export function onPort<A extends InjectionAction>(
  injections: readonly Injection<A>[],
  port: number,
): readonly Injection<A>[] {
  const isForPort = ({ config }: Injection<A>) => config.port === null || config.port === port;
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
    http: list.filter(isHttp),
    tcp: tcp as Injection<TcpAction>[],
    dns: dns as Injection<DnsAction>[],
    identity: identity as Injection<IdentityAction>[],
  };
}

function isHttp(injection: Injection): injection is Injection<HttpAction> {
  return !/^(?:tcp|dns|identity)-/.test(injection.action.kind);
}

function isSame(a: ServiceInjections, b: ServiceInjections): boolean {
  const layers = ['http', 'tcp', 'dns', 'identity'] as const;
  return layers.every(
    (layer) => a[layer].length === b[layer].length && a[layer].every((one, index) => one === b[layer][index]),
  );
}

import type { MethodInput } from '../../contract/contract.ts';
import { MeshError } from '../../contract/errors.ts';
import type { FaultView } from '../../contract/shapes.ts';
import { describeFault, percentOf } from '../../model/describe-fault.ts';
import { parseDuration } from '../../model/duration.ts';
import {
  type FaultDefinition,
  type FaultInjection,
  isHttpFault,
  readFaultInjection,
  seedOf,
  toFaultInjection,
  toServiceKeyIn,
} from '../../model/fault-injection.ts';
import { namespaceOf } from '../../model/resource.ts';
import { toResourceName } from '../../model/resource-metadata.ts';
import type { Clock } from '../../shared/clock.ts';
import type { ActiveFault, ActiveInjection, SnapshotService } from '../../snapshot/snapshot.ts';
import { readSplit } from '../../snapshot/split.ts';
import type { EdgeRing } from '../telemetry/edge-ring.ts';
import type { TelemetryStore } from '../telemetry/telemetry-store.ts';
import type { AppliedCount } from './applied.ts';
import { findService } from './find-service.ts';
import type { MeshFaults } from './mesh-api.ts';
import type { MeshMarkers } from './mesh-markers.ts';
import type { Publisher } from './publisher.ts';
import type { ResourceStore } from './resource-store.ts';
import { suggest } from './suggest.ts';

export interface FaultBookOptions {
  readonly resources: ResourceStore;
  readonly publisher: () => Publisher;
  readonly telemetry: TelemetryStore;
  readonly markers: MeshMarkers;
  readonly clock: Clock;
  readonly onChange: () => void;
  readonly applied: (uses: Parameters<AppliedCount>[0]) => ReturnType<AppliedCount>;
}

/** A FaultInjection with its services as keys (`name.namespace`). `from: null`: every caller. */
interface KnownFault {
  readonly id: string;
  readonly from: string | null;
  readonly to: string;
  readonly durationMs: number | null;
  readonly resource: FaultInjection;
}

interface Active {
  /** `from->to`. */
  readonly edge: string;
  readonly sinceMs: number;
  readonly expiresAtMs: number | null;
  readonly p95BeforeMs: number | null;
  readonly timer: NodeJS.Timeout | null;
}

const ackTimeoutMs = 1_000;
/** Over which the latency before a fault is taken. */
const beforeSeconds = 30;

/**
 * Faults: definitions are resources (FaultInjection) and stay; whether one is switched on is kept in memory only, so
 * that nothing is broken on purpose by a program that has just started. Sidecars drop an active fault by themselves when
 * the control plane's heartbeats end (lease).
 */
export class FaultBook implements MeshFaults {
  readonly #options: FaultBookOptions;
  readonly #active = new Map<string, Active>();
  /** Of faults that were switched off: the figure before them, which the edge has again only some time later. */
  readonly #before = new Map<
    string,
    { readonly edge: string; readonly p95Ms: number | null; readonly offAtMs: number }
  >();

  constructor(options: FaultBookOptions) {
    this.#options = options;
  }

  /** Those that an Istio rule can say as well: fixed delays and HTTP aborts, without a trigger. */
  definitions(): FaultDefinition[] {
    return this.#known().flatMap(({ resource }) => readFaultInjection(resource) ?? []);
  }

  /** Of `definitions`, those that are switched on. */
  active(): ActiveFault[] {
    return this.definitions().flatMap(({ durationMs: _, ...fault }) => {
      const active = this.#active.get(fault.id);
      return active === undefined ? [] : [{ ...fault, expiresAtMs: active.expiresAtMs }];
    });
  }

  /** Everything that is switched on. */
  injections(): ActiveInjection[] {
    return this.#known().flatMap(({ id, resource }) => {
      const active = this.#active.get(id);
      if (active === undefined) return [];
      const { sinceMs, expiresAtMs } = active;
      return [{ resource, sinceMs, expiresAtMs }];
    });
  }

  list(): FaultView[] {
    return this.#known().map((fault) => this.#view(fault));
  }

  async set(input: MethodInput<'fault.set'>): Promise<FaultView> {
    const { resources } = this.#options;
    const fault = this.#define(input);
    const { resource } = fault;
    const before = this.#known().find(({ id }) => id === fault.id);
    this.#switchOff(fault.id);
    if (before !== undefined && namespaceOf(before.resource) !== namespaceOf(resource)) {
      await resources.remove('FaultInjection', namespaceOf(before.resource), fault.id);
    }
    await resources.put([resource]);
    if (input.enabled ?? true) this.#switchOn(fault);
    await this.#publish();
    return this.#view(fault);
  }

  async toggle(id: string, enabled: boolean): Promise<FaultView> {
    const fault = this.#find(id);
    if (enabled !== this.#active.has(id)) {
      if (enabled) this.#switchOn(fault);
      else this.#switchOff(id);
      await this.#publish();
    }
    return this.#view(fault);
  }

  async clear(which: { id: string } | { all: true }): Promise<FaultView[]> {
    const faults = 'id' in which ? [this.#find(which.id)] : this.#known();
    for (const { id } of faults) this.#switchOff(id);
    // They stop at once, before the file is written.
    if (faults.length > 0) this.#options.publisher().publish();
    for (const { id } of faults) await this.#remove(id);
    await this.#publish();
    return this.list();
  }

  /** The project's files have changed: what is not defined any more is not active either. */
  reload(): void {
    const known = new Set(this.#known().map(({ id }) => id));
    for (const id of [...this.#active.keys()]) if (!known.has(id)) this.#switchOff(id);
    this.#options.onChange();
  }

  close(): void {
    for (const id of [...this.#active.keys()]) this.#switchOff(id);
  }

  async #remove(id: string): Promise<void> {
    const { resources } = this.#options;
    for (const resource of resources.all()) {
      if (resource.kind !== 'FaultInjection' || resource.metadata.name !== id) continue;
      await resources.remove('FaultInjection', namespaceOf(resource), id);
    }
  }

  #known(): KnownFault[] {
    return this.#options.resources
      .all()
      .flatMap((resource) => (resource.kind === 'FaultInjection' ? [toKnown(resource)] : []));
  }

  #find(id: string): KnownFault {
    const fault = this.#known().find((candidate) => candidate.id === id);
    if (fault === undefined) throw new MeshError('NOT_FOUND', `There is no fault ${id}; \`fault list\` shows them.`);
    return fault;
  }

  #define(input: MethodInput<'fault.set'>): KnownFault {
    const { services, entries } = this.#options.publisher().snapshot;
    const wanted = 'spec' in input ? input.spec : toSpec(input);
    // Hosts of ServiceEntries are called like any service, but call nobody.
    const called = new Map([...entries.map(({ service }) => [service.key, service] as const), ...services]);
    const to = findService(called, wanted.to);
    const from = wanted.from === undefined ? null : findService(services, wanted.from);
    if (isHttpFault(wanted.fault)) {
      const protocols = to.ports.map(({ protocol }) => protocol);
      this.#assertHttp(from?.key ?? null, to.key, protocols);
    }
    this.#assertRoute(to, wanted.route ?? null);
    const id = input.id ?? this.#newId(`${from?.name ?? 'any'}-${to.name}-${describeFault(wanted).kind}`);
    if (toResourceName(id) !== id) {
      throw new MeshError('BAD_REQUEST', `A fault cannot be called "${id}": use lower-case letters, digits and "-".`);
    }
    const before = this.#known().find((fault) => fault.id === id);
    const seed = wanted.seed ?? before?.resource.spec.seed ?? seedOf(id);
    const spec = { ...wanted, ...(from === null ? {} : { from: from.key }), to: to.key, seed };
    const metadata = { name: id, namespace: to.namespace };
    return toKnown({ apiVersion: 'meshdesk.dev/v1alpha1', kind: 'FaultInjection', metadata, spec });
  }

  /** Throws UNSUPPORTED_PROTOCOL when what was seen on the edge, or declared for the service, is only TCP. */
  #assertHttp(from: string | null, to: string, declared: readonly string[]): void {
    const seen = this.#options.telemetry.protocolOf(from, to);
    const isDeclaredTcp = declared.length > 0 && declared.every((protocol) => protocol === 'tcp' || protocol === 'tls');
    const isTcp = seen === null ? isDeclaredTcp : seen === 'tcp';
    if (!isTcp) return;
    throw new MeshError(
      'UNSUPPORTED_PROTOCOL',
      `${from ?? 'Everything'} speaks TCP with ${to}; delay and abort act on HTTP requests.`,
    );
  }

  #assertRoute(to: SnapshotService, route: string | null): void {
    if (route === null) return;
    const { resources } = this.#options.publisher().snapshot;
    const names = readSplit(resources, { service: to.name, namespace: to.namespace }).routes.map(({ name }) => name);
    if (names.includes(route)) return;
    throw new MeshError('NOT_FOUND', `${to.key} has no route ${route}.${suggest(route, names)}`);
  }

  #newId(wanted: string): string {
    const taken = new Set(this.#known().map(({ id }) => id));
    const name = toResourceName(wanted);
    for (let number = 1; ; number += 1) {
      const id = number === 1 ? name : `${name}-${number}`;
      if (!taken.has(id)) return id;
    }
  }

  #switchOn(fault: KnownFault): void {
    const { clock, telemetry, markers } = this.#options;
    const p95BeforeMs = this.#p95Before(fault);
    telemetry.resetFault(fault.id);
    const expire = () => {
      this.#switchOff(fault.id);
      this.#options.publisher().publish();
      this.#options.onChange();
    };
    const timer = fault.durationMs === null ? null : setTimeout(expire, fault.durationMs);
    timer?.unref();
    const sinceMs = clock.nowMs();
    const expiresAtMs = fault.durationMs === null ? null : sinceMs + fault.durationMs;
    this.#active.set(fault.id, { edge: edgeOf(fault), sinceMs, expiresAtMs, p95BeforeMs, timer });
    markers.add('fault', `${faultLabel(fault.resource)} on`);
  }

  #switchOff(id: string): void {
    const active = this.#active.get(id);
    if (active === undefined) return;
    if (active.timer !== null) clearTimeout(active.timer);
    this.#active.delete(id);
    this.#before.set(id, { edge: active.edge, p95Ms: active.p95BeforeMs, offAtMs: this.#options.clock.nowMs() });
    this.#options.markers.add('fault', `${id} off`);
  }

  /** p95 of the edge without the fault; the same as last time while its requests are still in the window. */
  #p95Before(fault: KnownFault): number | null {
    const { clock, telemetry } = this.#options;
    const { id, from, to } = fault;
    const earlier = this.#before.get(id);
    if (earlier?.edge === edgeOf(fault) && clock.nowMs() - earlier.offAtMs < beforeSeconds * 1_000)
      return earlier.p95Ms;
    return telemetry.window(this.#rings(from, to), beforeSeconds).sum.latency.percentileMs(95);
  }

  async #publish(): Promise<void> {
    const publisher = this.#options.publisher();
    publisher.publish();
    this.#options.onChange();
    await publisher.waitForAcks(ackTimeoutMs);
  }

  #rings(from: string | null, to: string): EdgeRing[] {
    return [...this.#options.telemetry.rings()].filter(
      (ring) => ring.to === to && (from === null || ring.from === from),
    );
  }

  #view(fault: KnownFault): FaultView {
    const { telemetry, clock, applied } = this.#options;
    const active = this.#active.get(fault.id);
    const { id, from, to, durationMs, resource } = fault;
    const { spec } = resource;
    const now = telemetry.window(this.#rings(from, to), 10).sum;
    return {
      ...{ id, from, to, route: spec.route ?? null, durationMs },
      action: readFaultInjection(resource)?.action ?? null,
      percent: percentOf(spec),
      ...describeFault(spec),
      spec,
      enabled: active !== undefined,
      expiresInMs: active?.expiresAtMs == null ? null : Math.max(0, active.expiresAtMs - clock.nowMs()),
      ...telemetry.faultCounts(id),
      applied:
        active === undefined
          ? { of: 0, acked: 0 }
          : applied((config) => [...config.faults, ...(config.injections ?? [])].some((entry) => entry.id === id)),
      effect: {
        p95BeforeMs: active?.p95BeforeMs ?? null,
        p95NowMs: now.latency.percentileMs(95),
        errorPercentNow: now.requests === 0 ? null : (now.errors / now.requests) * 100,
      },
    };
  }
}

const edgeOf = ({ from, to }: Pick<KnownFault, 'from' | 'to'>): string => `${from ?? '*'}->${to}`;

/** Short service names are of the resource's namespace. */
function toKnown(resource: FaultInjection): KnownFault {
  const { metadata, spec } = resource;
  const toKey = (service: string) => toServiceKeyIn(service, namespaceOf(resource));
  return {
    id: metadata.name,
    from: spec.from === undefined ? null : toKey(spec.from),
    to: toKey(spec.to),
    durationMs: spec.duration === undefined ? null : parseDuration(spec.duration),
    resource,
  };
}

function toSpec(input: Extract<MethodInput<'fault.set'>, { action: unknown }>): FaultInjection['spec'] {
  const { id = '', from, to, route = null, action, percent, durationMs = null } = input;
  const { seed: _, ...spec } = toFaultInjection({ id, from, to, route, action, percent, durationMs, seed: 0 }).spec;
  return spec;
}

/** `delay 400 ms for 30 %`. */
export function faultLabel({ spec }: Pick<FaultInjection, 'spec'>): string {
  const { kind, strength } = describeFault(spec);
  const what = strength === '' ? kind : `${kind} ${strength}`;
  const percent = percentOf(spec);
  return percent === 100 ? what : `${what} for ${percent} %`;
}

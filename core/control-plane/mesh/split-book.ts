import type { MethodInput } from '../../contract/contract.ts';
import { MeshError } from '../../contract/errors.ts';
import type { SplitView } from '../../contract/shapes.ts';
import { printResources } from '../../model/print-resources.ts';
import { namespaceOf, type Resource } from '../../model/resource.ts';
import { normaliseWeights } from '../../snapshot/routes/weights.ts';
import type { SnapshotService } from '../../snapshot/snapshot.ts';
import { readSplit, toSplitResources, withoutSplit } from '../../snapshot/split.ts';
import { buildObservedSplit } from '../telemetry/build-series.ts';
import type { TelemetryStore } from '../telemetry/telemetry-store.ts';
import type { AppliedCount } from './applied.ts';
import { findService } from './find-service.ts';
import type { MeshSplits } from './mesh-api.ts';
import type { MeshMarkers } from './mesh-markers.ts';
import type { Publisher } from './publisher.ts';
import type { ResourceStore } from './resource-store.ts';

export interface SplitBookOptions {
  readonly resources: ResourceStore;
  readonly publisher: () => Publisher;
  readonly telemetry: TelemetryStore;
  readonly markers: MeshMarkers;
  readonly applied: AppliedCount;
  readonly onChange: () => void;
}

const defaultWindowSeconds = 30;
const ackTimeoutMs = 5_000;

/** Traffic splits: the VirtualService and DestinationRule of a service, as the split view edits them. */
export class SplitBook implements MeshSplits {
  readonly #options: SplitBookOptions;

  constructor(options: SplitBookOptions) {
    this.#options = options;
  }

  /** Services that have several versions or a split already. */
  list(): SplitView[] {
    return [...this.#services().values()]
      .map((service) => this.#view(service, defaultWindowSeconds))
      .filter((view) => view.versions.length > 1 || view.configured);
  }

  show(service: string, windowSeconds = defaultWindowSeconds): SplitView {
    return this.#view(findService(this.#services(), service), windowSeconds);
  }

  async set(input: MethodInput<'split.set'>): Promise<SplitView> {
    const service = findService(this.#services(), input.service);
    const pins = input.pins ?? [];
    assertSubsets(
      service,
      [...input.weights, ...pins].map(({ subset }) => subset),
    );
    if (this.#isTcp(service)) throw new MeshError('UNSUPPORTED_PROTOCOL', `${service.key}: ${tcpOnly}`);
    if (input.weights.every(({ weight }) => weight === 0)) {
      throw new MeshError('BAD_REQUEST', 'All weights are 0; one version must take the traffic.');
    }
    const weights = normaliseWeights(input.weights);
    const { name, namespace, versions } = service;
    const { virtualService, destinationRule } = toSplitResources(
      { service: name, namespace, versions, weights, pins },
      this.#read(service),
    );
    // Subsets first: a route to a subset that is not known yet would answer 503.
    await this.#options.resources.put([destinationRule, virtualService]);
    const text = weights.map(({ subset, weight }) => `${subset} ${weight} %`).join(', ');
    await this.#publish(`${service.name}: ${text}`);
    return this.#view(service, defaultWindowSeconds);
  }

  async clear(name: string): Promise<SplitView> {
    const { resources } = this.#options;
    const service = findService(this.#services(), name);
    const before = this.#read(service);
    const after = withoutSplit(before);
    for (const kind of ['virtualService', 'destinationRule'] as const) {
      const [old, rest] = [before[kind], after[kind]];
      if (old === null) continue;
      if (rest === null) await resources.remove(old.kind, namespaceOf(old), old.metadata.name);
      else await resources.put([rest]);
    }
    await this.#publish(`${service.name}: no split`);
    return this.#view(service, defaultWindowSeconds);
  }

  async #publish(text: string): Promise<void> {
    const publisher = this.#options.publisher();
    this.#options.markers.add('config', text);
    publisher.publish();
    this.#options.onChange();
    await publisher.waitForAcks(ackTimeoutMs);
  }

  #services(): ReadonlyMap<string, SnapshotService> {
    return this.#options.publisher().snapshot.services;
  }

  #read({ name, namespace }: SnapshotService): ReturnType<typeof readSplit> {
    return readSplit(this.#options.publisher().snapshot.resources, { service: name, namespace });
  }

  #isTcp(service: SnapshotService): boolean {
    const seen = this.#options.telemetry.protocolOf(null, service.key);
    if (seen !== null) return seen === 'tcp';
    return service.ports.length > 0 && service.ports.every(({ protocol }) => protocol === 'tcp');
  }

  #view(service: SnapshotService, windowSeconds: number): SplitView {
    const { telemetry, applied, publisher } = this.#options;
    const { workloads } = publisher().snapshot;
    const split = this.#read(service);
    const versionOf = (id: string) => workloads.get(id)?.discovered.version;
    const parts: Resource[] = [split.virtualService, split.destinationRule].filter((part) => part !== null);
    return {
      service: service.name,
      namespace: service.namespace,
      versions: service.versions.map((version) => ({
        version,
        workloads: service.workloads.filter((id) => versionOf(id) === version).length,
      })),
      configured: split.virtualService !== null,
      weights: split.weights.map(({ subset, weight }) => ({ subset, weight })),
      pins: split.pins.map(({ name, value, subset }) => ({ name, value, subset })),
      routes: split.routes.map((route) => ({ ...route, destinations: [...route.destinations] })),
      observed: buildObservedSplit(telemetry, { service: service.key, versions: service.versions, windowSeconds }),
      observedWindowSeconds: windowSeconds,
      unavailable: whyUnavailable(service, this.#isTcp(service)),
      applied: applied((config) => config.services.some(({ key, routes }) => key === service.key && routes.length > 0)),
      yaml: parts.length === 0 ? '' : printResources(parts),
    };
  }
}

const tcpOnly = 'It speaks TCP; splits and header pins need HTTP.';

function whyUnavailable(service: SnapshotService, isTcp: boolean): string | null {
  if (isTcp) return tcpOnly;
  return service.versions.length < 2 ? 'It has one version only; start a second one to split its traffic.' : null;
}

function assertSubsets(service: SnapshotService, subsets: readonly string[]): void {
  const unknown = subsets.filter((subset) => !service.versions.includes(subset));
  if (unknown.length === 0) return;
  const known = service.versions.join(', ') || 'no version';
  throw new MeshError('UNKNOWN_SUBSET', `${service.key} has no version ${unknown.join(', ')}; it has ${known}.`);
}

import { join } from 'node:path';
import type { GatewayView, WorkloadView } from '../../contract/shapes.ts';
import { type Resource, toMeshResources } from '../../model/resource.ts';
import { toServiceKey } from '../../model/workload.ts';
import type { Logger } from '../../shared/logger.ts';
import { gatewayDestinations, isGatewayDestination } from '../../snapshot/gateways/gateway-config.ts';
import { type GatewayProxy, gatewayProxies } from '../../snapshot/gateways/gateway-proxies.ts';
import { defaultRootNamespace, type MeshSnapshot } from '../../snapshot/snapshot.ts';
import { Credentials } from '../credentials/credentials.ts';
import { IdFile } from '../id-file.ts';
import type { MeshApi, MeshListener } from '../mesh/mesh-api.ts';
import type { ResourceStore } from '../mesh/resource-store.ts';
import type { DockerRuntime } from '../runtime/docker/docker-runtime.ts';
import { GatewayKeeper } from './gateway-keeper.ts';
import type { GatewayPlace } from './gateway-place.ts';
import { GatewayRuntime } from './gateway-runtime.ts';
import { toGatewayViews } from './gateway-views.ts';
import { HostPorts } from './host-ports.ts';
import { ProcessPlace } from './process-place.ts';

export interface GatewaySurroundings {
  readonly distDir: string;
  readonly stateDir: string;
  readonly projectDir: string;
  readonly resources: ResourceStore;
  /** `null`: no engine is looked for. */
  readonly containers: DockerRuntime | null;
  /** Asked once it has been started. */
  readonly mesh: () => Pick<MeshApi, 'workloads' | 'attach' | 'listen' | 'snapshot'>;
  readonly onNotice: MeshListener['onNotice'];
  readonly log: Logger;
}

export interface Gateways {
  readonly runtime: GatewayRuntime;
  readonly credentials: Credentials;
  /** To be called when the mesh has started. */
  begin(): Promise<void>;
  list(): GatewayView[];
  close(): Promise<void>;
}

export function createGateways(surroundings: GatewaySurroundings): Gateways {
  const { distDir, stateDir, projectDir, resources, containers, mesh, onNotice, log } = surroundings;
  const ports = new HostPorts(join(stateDir, 'gateway-ports.json'));
  const credentials = new Credentials({ dir: projectDir, log });
  const proxies = createProxyFinder(resources);
  const inContainers = containers?.gateways(ports, log) ?? null;
  const hostAddressOf = async (network: string) => (await inContainers?.hostAddressOf(network)) ?? null;
  const runtime = new GatewayRuntime({
    proxies,
    onChange: (callback) => resources.onChange(callback),
    processes: new ProcessPlace({
      program: join(distDir, 'sidecar', 'sidecar.mjs'),
      ...{ stateDir, ports, hostAddressOf, log },
      onRestart: (message) => onNotice({ level: 'warn', code: null, message }),
    }),
    containers: inContainers,
    networks: () => networksOf(mesh().workloads()),
    placeFor: (proxy) => placeFor(proxy, mesh().snapshot(), mesh().workloads(), hostAddressOf),
    isDestination: (proxy) => isGatewayDestination(mesh().snapshot(), proxy),
    log,
  });
  const stopped = new IdFile({
    file: join(stateDir, 'stopped-gateways.json'),
    without: 'gateways that were stopped start again',
    log,
  });
  const keeper = new GatewayKeeper({
    stopped,
    workloads: () => mesh().workloads(),
    attach: (id) => mesh().attach({ names: [id] }),
    ...{ onNotice, log },
  });
  let stopListening = () => undefined as unknown;
  let seen = '';
  return {
    runtime,
    credentials,
    begin: async () => {
      await stopped.load();
      stopListening = mesh().listen({
        onChange: (what) => {
          if (what !== 'workloads') return;
          // It comes with every figure too.
          const now = stateOf(mesh().workloads());
          if (now === seen) return;
          seen = now;
          keeper.look();
          runtime.refresh();
        },
        onCertificate: () => undefined,
        onProgress: () => undefined,
        onNotice: () => undefined,
      });
      keeper.look();
    },
    list: () => toGatewayViews(proxies(), mesh().workloads(), { credentials, runtime, stateDir }),
    close: async () => {
      stopListening();
      keeper.close();
      await stopped.close();
      credentials.close();
      await runtime.close();
    },
  };
}

/** The proxies that the resources ask for; worked out when these have changed. */
function createProxyFinder(resources: ResourceStore): () => readonly GatewayProxy[] {
  let of: readonly Resource[] | null = null;
  let found: readonly GatewayProxy[] = [];
  return () => {
    const all = resources.all();
    if (all !== of) {
      of = all;
      found = gatewayProxies(toMeshResources(all), defaultRootNamespace);
    }
    return found;
  };
}

/**
 * Beside what its routes lead to: a container where that is containers, a process where it is host processes. Both: a process,
 * if this machine reaches the containers' networks. Where routes lead outside: as what is attached.
 * `null`: nothing of that is there now.
 */
async function placeFor(
  proxy: GatewayProxy,
  snapshot: MeshSnapshot,
  workloads: readonly WorkloadView[],
  hostAddressOf: (network: string) => Promise<string | null>,
): Promise<GatewayPlace['kind'] | null> {
  const destinations = gatewayDestinations(snapshot, proxy);
  const isBehind = ({ service, namespace }: WorkloadView) => destinations.has(toServiceKey(service, namespace));
  const others = workloads.filter(({ runtime, state }) => runtime !== 'gateway' && state === 'running');
  const behind = others.filter(isBehind);
  const deciding = behind.length > 0 ? behind : others.filter(({ mesh }) => mesh !== 'detached');
  const containers = deciding.filter(({ runtime }) => runtime === 'docker');
  if (deciding.length === 0) return null;
  if (containers.length === 0) return 'process';
  if (containers.length === deciding.length) return 'docker';
  const networks = [...new Set(containers.flatMap(({ addresses }) => addresses.map(({ network }) => network)))];
  const hosts = await Promise.all(networks.map(hostAddressOf));
  return hosts.every((host) => host !== null) ? 'process' : 'docker';
}

/** What decides which gateways run, where, and on which networks. */
function stateOf(workloads: readonly WorkloadView[]): string {
  return JSON.stringify(workloads.map(({ id, state, mesh, addresses }) => [id, state, mesh, addresses]));
}

/** Of the containers that are attached, or about to be. */
function networksOf(workloads: readonly WorkloadView[]): string[] {
  const attached = workloads.filter(({ runtime, mesh }) => runtime === 'docker' && mesh !== 'detached');
  return [...new Set(attached.flatMap(({ addresses }) => addresses.map(({ network }) => network)))].sort();
}

import type { PortProtocol } from '../../../model/protocol.ts';
import { type DiscoveredWorkload, toServiceKey } from '../../../model/workload.ts';
import type { OutputBuffer } from './output-buffer.ts';

export interface ProcessPort {
  /** Port it listens on, on 127.0.0.1. */
  readonly port: number;
  /** Port by which other services know it; default `port`. */
  readonly servicePort?: number;
  readonly protocol: PortProtocol;
}

/** A host process as it is made known to the mesh. */
export interface ProcessRegistration {
  /** Unique; the workload's id is `process:<name>`. */
  readonly name: string;
  readonly service: string;
  readonly namespace: string;
  readonly version: string | null;
  /** Groups workloads in the list, like a compose project. */
  readonly project: string | null;
  readonly ports: readonly ProcessPort[];
  /** Names by which callers reach this very process while nothing else decides; empty: none. */
  readonly aliases: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  /** `null`: not started yet; it is listed once it is. */
  readonly pid: number | null;
  readonly output?: OutputBuffer;
}

/** What is known of a registered process now. */
export interface ProcessEntry {
  readonly id: string;
  readonly registration: ProcessRegistration;
  pid: number | null;
  startedAtMs: number | null;
  running: boolean;
}

export const processId = (name: string) => `process:${name}`;
export const loopback = '127.0.0.1';

/** Services that have ports, with the ports by which they are known. */
export function servicePorts(entries: Iterable<ProcessEntry>): { service: string; port: number }[] {
  const seen = new Map<string, { service: string; port: number }>();
  for (const { registration } of entries) {
    const service = toServiceKey(registration.service, registration.namespace);
    for (const { port, servicePort = port } of registration.ports)
      seen.set(`${service}:${servicePort}`, { service, port: servicePort });
  }
  return [...seen.values()].sort((a, b) => a.service.localeCompare(b.service) || a.port - b.port);
}

export function toWorkload(entry: ProcessEntry): DiscoveredWorkload {
  const { registration } = entry;
  return {
    id: entry.id,
    incarnation: `${entry.pid ?? 0}@${entry.startedAtMs ?? 0}`,
    name: registration.name,
    runtime: 'process',
    service: registration.service,
    namespace: registration.namespace,
    version: registration.version,
    project: registration.project,
    image: null,
    labels: { ...registration.labels },
    state: entry.running ? 'running' : 'exited',
    stateText: entry.running ? `pid ${entry.pid ?? 'unknown'}` : 'ended',
    startedAtMs: entry.startedAtMs,
    ports: registration.ports.map(({ port, servicePort, protocol }) => ({
      port,
      protocol,
      publishedPort: port,
      ...(servicePort === undefined || servicePort === port ? {} : { servicePort }),
    })),
    addresses: [{ network: 'loopback', ip: loopback, aliases: [...registration.aliases] }],
    notAttachable: null,
  };
}

import type { PortProtocol } from '../../../model/protocol.ts';
import { type DiscoveredWorkload, toServiceKey } from '../../../model/workload.ts';
import type { OutputBuffer } from './output-buffer.ts';

export interface ProcessPort {
  /** Port it listens on, on its `host`. */
  readonly port: number;
  /** Port by which other services know it; default `port`. */
  readonly servicePort?: number;
  readonly protocol: PortProtocol;
}

/** A host process as it is made known to the mesh. */
export interface ProcessRegistration {
  readonly name: string;
  /** Unique; the workload's id is `process:<key>`. Default: the name. */
  readonly key?: string;
  /** Loopback address that it listens on, or `localhost`: 127.0.0.1 or ::1, whichever answers. Default 127.0.0.1. */
  readonly host?: string;
  /** True: somebody else starts and ends it; it is listed in any case and runs as long as its first port answers. */
  readonly declared?: boolean;
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
  readonly registeredAtMs: number;
  /** Loopback address that it listens on. */
  address: string;
  pid: number | null;
  startedAtMs: number | null;
  running: boolean;
}

export const loopback = '127.0.0.1';
export const keyOf = ({ key, name }: Pick<ProcessRegistration, 'key' | 'name'>) => key ?? name;
export const processId = (registration: Pick<ProcessRegistration, 'key' | 'name'>) => `process:${keyOf(registration)}`;

/** Addresses that it may listen on, the likelier first. */
export function addressesOf({ host = loopback }: Pick<ProcessRegistration, 'host'>): readonly string[] {
  return host === 'localhost' ? [loopback, '::1'] : [host];
}

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
    incarnation:
      registration.declared === true
        ? `declared@${entry.registeredAtMs}`
        : `${entry.pid ?? 0}@${entry.startedAtMs ?? 0}`,
    name: registration.name,
    runtime: 'process',
    service: registration.service,
    namespace: registration.namespace,
    version: registration.version,
    project: registration.project,
    image: null,
    labels: { ...registration.labels },
    state: entry.running ? 'running' : 'exited',
    stateText: toStateText(entry),
    startedAtMs: entry.startedAtMs,
    ports: registration.ports.map(({ port, servicePort, protocol }) => ({
      port,
      protocol,
      publishedPort: port,
      ...(servicePort === undefined || servicePort === port ? {} : { servicePort }),
    })),
    addresses: [{ network: 'loopback', ip: entry.address, aliases: [...registration.aliases] }],
    notAttachable: null,
  };
}

function toStateText({ registration, running, pid, address }: ProcessEntry): string {
  const [first] = registration.ports;
  if (registration.declared !== true) return running ? `pid ${pid ?? 'unknown'}` : 'ended';
  if (first === undefined) return 'only calls others';
  return `${running ? 'listens on' : 'nothing listens on'} ${address}:${first.port}`;
}

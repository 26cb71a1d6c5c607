import { z } from 'zod';
import { PortProtocol, ProxyProtocol } from './protocol.ts';

/**
 * A workload is one running instance: a container or a host process. Its service, namespace and version come from
 * what the runtime knows (compose labels, names, image tag); labels `dev.meshdesk.*` override.
 */
export const WorkloadPort = z.strictObject({
  /** Port the application listens on, inside its own network namespace (docker) or on loopback (process). */
  port: z.number().int().min(1).max(65_535),
  protocol: PortProtocol,
  /** Port of the host that leads to it, when published. */
  publishedPort: z.number().int().min(1).max(65_535).nullable(),
  /**
   * Port by which other workloads know it, when that differs from `port`: host processes of one service share the
   * loopback address, so each listens on a port of its own. Absent: `port`.
   */
  servicePort: z.number().int().min(1).max(65_535).optional(),
  /** Absent: the PROXY protocol plays no part at this port. */
  proxyProtocol: ProxyProtocol.optional(),
});
export type WorkloadPort = z.infer<typeof WorkloadPort>;

export const WorkloadAddress = z.strictObject({
  /** Name of the network; `loopback` in the process runtime. Two workloads reach each other when they share one. */
  network: z.string(),
  ip: z.string(),
  /** Names by which this network's DNS answers with `ip`. */
  aliases: z.array(z.string()),
});
export type WorkloadAddress = z.infer<typeof WorkloadAddress>;

export const RunState = z.enum(['running', 'paused', 'restarting', 'exited']);
export type RunState = z.infer<typeof RunState>;

/** `degraded`: attached, but the sidecar is not connected or refused its configuration; see `reason`. */
export const MeshState = z.enum(['detached', 'attaching', 'attached', 'detaching', 'degraded']);
export type MeshState = z.infer<typeof MeshState>;

/** What a runtime discovers. */
export const DiscoveredWorkload = z.strictObject({
  /** Stable while the workload exists: the container id, or `process:<name>`. */
  id: z.string().min(1),
  /** Changes when the network namespace does (restart of the container): the engine's `StartedAt`, or the pid. */
  incarnation: z.string(),
  name: z.string().min(1),
  /** `gateway`: a proxy of ours that takes traffic from outside; it is workload and sidecar in one. */
  runtime: z.enum(['docker', 'process', 'gateway']),
  service: z.string().min(1),
  namespace: z.string().min(1),
  version: z.string().nullable(),
  /** Compose project, to group by; `null` for plain `docker run`. */
  project: z.string().nullable(),
  image: z.string().nullable(),
  labels: z.record(z.string(), z.string()),
  state: RunState,
  /** Engine's own words, e.g. "Up 3 minutes (healthy)". */
  stateText: z.string(),
  startedAtMs: z.number().nullable(),
  ports: z.array(WorkloadPort),
  addresses: z.array(WorkloadAddress),
  /** Of gateways: of what passes connections of this machine on to it. */
  relayAddresses: z.array(z.string()).optional(),
  /** Code and text when this workload can never be attached (host network, no network, Windows), else `null`. */
  notAttachable: z.strictObject({ code: z.string(), message: z.string() }).nullable(),
});
export type DiscoveredWorkload = z.infer<typeof DiscoveredWorkload>;

/** `name.namespace`: how services are named inside the mesh. */
export function toServiceKey(service: string, namespace: string): string {
  return `${service}.${namespace}`;
}

/** What the contract's methods return and its events carry. Fields are added, never renamed: scripts read them. */
import { z } from 'zod';
import { FaultSpec } from '../model/fault-injection.ts';
import { LeftOutEndpoint } from '../model/telemetry-report.ts';
import { DiscoveredWorkload, MeshState } from '../model/workload.ts';

const Percent = z.number().min(0).max(100);

export const SidecarCost = z.strictObject({
  rssBytes: z.number(),
  cpuPercent: z.number(),
  eventLoopLagMs: z.number(),
  /** What there is too much of, while the sidecar sheds requests (503, flag `OM`) or connections; absent: nothing. */
  overload: z.string().optional(),
  /** Endpoints that it sends nothing to, as outlier detection or health checks want it; absent: none. */
  leftOut: z.array(LeftOutEndpoint).optional(),
  /** Datagrams of the workload's network namespace, which pass the sidecar by; absent: not known. */
  udpPerSecond: z.strictObject({ sent: z.number(), received: z.number() }).optional(),
});
export type SidecarCost = z.infer<typeof SidecarCost>;

/** Where an attached host process is pointed at. URLs are on loopback; `tcp://` where the port is declared not to be HTTP. */
export const ListenersView = z.strictObject({
  /** By the process's own port: others reach it through its sidecar here. */
  inbound: z.array(z.strictObject({ port: z.number().int(), url: z.string() })),
  /** By service key and service port: the process reaches them through its sidecar here. */
  outbound: z.array(z.strictObject({ service: z.string(), port: z.number().int(), url: z.string() })),
  /** Serves `/proxy/{service}/{path}` and absolute-form requests (`HTTP_PROXY`). */
  httpProxy: z.string().nullable(),
});
export type ListenersView = z.infer<typeof ListenersView>;

/** A workload as discovered, with its state in the mesh. */
export const WorkloadView = DiscoveredWorkload.extend({
  mesh: MeshState,
  /** Why it is degraded, being attached, or not attachable; `null` when there is nothing to say. */
  reason: z.string().nullable(),
  /** SPIFFE ID once it has a certificate. */
  identity: z.string().nullable(),
  /** Revision its sidecar acknowledged last. */
  ackedRevision: z.number().int().nullable(),
  /** Revision that is meant for its sidecar: sidecars are pushed only what changes something for them. Absent: none yet. */
  wantedRevision: z.number().int().optional(),
  cost: SidecarCost.nullable(),
  /** Connections opened before attach that still live and pass the mesh by. */
  unseenConnections: z.number().int().nullable(),
  /** While detaching: connections that are still kept. */
  keptConnections: z.strictObject({ http: z.number().int(), tcp: z.number().int() }).nullable(),
  /** `null` unless it is an attached host process. */
  listeners: ListenersView.nullable(),
});
export type WorkloadView = z.infer<typeof WorkloadView>;

export const WorkloadResult = WorkloadView.extend({ durationMs: z.number() });
export type WorkloadResult = z.infer<typeof WorkloadResult>;

export const EngineStatus = z.strictObject({
  state: z.enum(['connected', 'connecting', 'unavailable', 'disabled']),
  name: z.string().nullable(),
  version: z.string().nullable(),
  endpoint: z.string().nullable(),
  message: z.string().nullable(),
});
export type EngineStatus = z.infer<typeof EngineStatus>;

export const MeshStatus = z.strictObject({
  ready: z.boolean(),
  version: z.string(),
  project: z.strictObject({ dir: z.string(), name: z.string() }),
  engine: EngineStatus,
  sample: z.enum(['stopped', 'starting', 'running']),
  mtlsMode: z.enum(['DISABLE', 'PERMISSIVE', 'STRICT']),
  trustDomain: z.string(),
  revision: z.number().int(),
  sidecars: z.strictObject({ attached: z.number().int(), acked: z.number().int() }),
  /** Over the last 10 s. */
  traffic: z.strictObject({ requestsPerSecond: z.number(), errorPercent: Percent.nullable() }),
  cost: z.strictObject({
    sidecarsRssBytes: z.number(),
    sidecarsCpuPercent: z.number(),
    controlPlaneRssBytes: z.number(),
  }),
  faultsActive: z.number().int(),
});
export type MeshStatus = z.infer<typeof MeshStatus>;

export const TopologyNode = z.strictObject({
  id: z.string(),
  /**
   * `service`: attached or known; `gateway`: one of ours, where traffic comes in or leaves; `outside`: a host that no workload
   * serves; `caller`: something unmeshed that calls in.
   */
  kind: z.enum(['service', 'gateway', 'outside', 'caller']),
  service: z.string(),
  namespace: z.string().nullable(),
  project: z.string().nullable(),
  versions: z.array(z.string()),
  workloads: z.array(
    z.strictObject({ id: z.string(), name: z.string(), version: z.string().nullable(), mesh: MeshState }),
  ),
  mesh: z.enum(['attached', 'partly', 'detached']),
  /** Over the window; incoming traffic. */
  requestsPerSecond: z.number().nullable(),
  errorPercent: Percent.nullable(),
  p95Ms: z.number().nullable(),
  tcp: z.strictObject({ connections: z.number().int(), bytesPerSecond: z.number() }).nullable(),
});
export type TopologyNode = z.infer<typeof TopologyNode>;

export const Badge = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('fault'), text: z.string(), faultId: z.string() }),
  z.strictObject({ kind: z.literal('split'), text: z.string() }),
  z.strictObject({ kind: z.literal('timeout'), text: z.string() }),
]);
export type Badge = z.infer<typeof Badge>;

export const TopologyEdge = z.strictObject({
  /** `from->to`, with node ids. */
  id: z.string(),
  from: z.string(),
  to: z.string(),
  protocol: z.enum(['http', 'tcp']),
  /** `open`: plaintext; `half`: some connections are mutual TLS; `closed`: all are. */
  mtls: z.enum(['open', 'half', 'closed']),
  mtlsPercent: Percent,
  requestsPerSecond: z.number().nullable(),
  /** 5xx and requests without an answer, in percent of all; `null` without requests. */
  errorPercent: Percent.nullable(),
  p50Ms: z.number().nullable(),
  p95Ms: z.number().nullable(),
  p99Ms: z.number().nullable(),
  tcp: z.strictObject({ connections: z.number().int(), bytesPerSecond: z.number() }).nullable(),
  /** Response flags seen in the window, with counts. */
  flags: z.record(z.string(), z.number().int()),
  badges: z.array(Badge),
  /** Per version of the destination. */
  versions: z.array(
    z.strictObject({
      version: z.string().nullable(),
      percent: Percent,
      successPercent: Percent.nullable(),
      p95Ms: z.number().nullable(),
    }),
  ),
});
export type TopologyEdge = z.infer<typeof TopologyEdge>;

export const Topology = z.strictObject({
  windowSeconds: z.number(),
  atMs: z.number(),
  revision: z.number().int(),
  nodes: z.array(TopologyNode),
  edges: z.array(TopologyEdge),
});
export type Topology = z.infer<typeof Topology>;

/** One point per second, newest last; `null`: no data in that second. */
export const Series = z.strictObject({
  fromMs: z.number(),
  stepMs: z.number(),
  requestsPerSecond: z.array(z.number().nullable()),
  errorPercent: z.array(z.number().nullable()),
  p50Ms: z.array(z.number().nullable()),
  p95Ms: z.array(z.number().nullable()),
  p99Ms: z.array(z.number().nullable()),
  bytesPerSecond: z.array(z.number().nullable()),
  markers: z.array(z.strictObject({ atMs: z.number(), kind: z.enum(['fault', 'config']), text: z.string() })),
});
export type Series = z.infer<typeof Series>;

export const FaultAction = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('delay'), delayMs: z.number().int().min(1).max(3_600_000) }),
  z.strictObject({ kind: z.literal('abort'), httpStatus: z.number().int().min(200).max(599) }),
]);
export type FaultAction = z.infer<typeof FaultAction>;

export const FaultView = z.strictObject({
  id: z.string(),
  /** Service keys (`name.namespace`). `from: null`: every caller. */
  from: z.string().nullable(),
  to: z.string(),
  route: z.string().nullable(),
  /** `null`: it is more than a fixed delay or an HTTP status; `kind`, `strength` and `spec` tell. */
  action: FaultAction.nullable(),
  /** In words: `delay` and `400 ms`, `tcp latency` and `20 ms ± 5 ms`. */
  kind: z.string(),
  strength: z.string(),
  /** As a FaultInjection says it. */
  spec: FaultSpec,
  percent: Percent,
  /** `null`: until it is cleared. */
  durationMs: z.number().int().positive().nullable(),
  enabled: z.boolean(),
  expiresInMs: z.number().nullable(),
  /** Requests that were looked at and that were hit since it was switched on. */
  seen: z.number().int(),
  hits: z.number().int(),
  /** Sidecars that should apply it and that have acknowledged it. */
  applied: z.strictObject({ of: z.number().int(), acked: z.number().int() }),
  /** p95 of the edge in the 30 s before it was switched on, and now. */
  effect: z.strictObject({
    p95BeforeMs: z.number().nullable(),
    p95NowMs: z.number().nullable(),
    errorPercentNow: z.number().nullable(),
  }),
});
export type FaultView = z.infer<typeof FaultView>;

export const HeaderPin = z.strictObject({ name: z.string().min(1), value: z.string(), subset: z.string().min(1) });
export type HeaderPin = z.infer<typeof HeaderPin>;

export const SplitView = z.strictObject({
  service: z.string(),
  namespace: z.string(),
  /** Versions that run, with the number of their workloads. */
  versions: z.array(z.strictObject({ version: z.string(), workloads: z.number().int() })),
  /** False: no split is set, the callers' own address decides. */
  configured: z.boolean(),
  weights: z.array(z.strictObject({ subset: z.string(), weight: z.number().int().min(0).max(100) })),
  pins: z.array(HeaderPin),
  routes: z.array(
    z.strictObject({
      name: z.string(),
      match: z.string(),
      destinations: z.array(z.strictObject({ subset: z.string().nullable(), percent: Percent })),
    }),
  ),
  observed: z.array(
    z.strictObject({
      version: z.string(),
      percent: Percent.nullable(),
      requests: z.number().int(),
      successPercent: Percent.nullable(),
      p95Ms: z.number().nullable(),
    }),
  ),
  observedWindowSeconds: z.number(),
  /** Why no split can be made (one version, TCP only ...), else `null`. */
  unavailable: z.string().nullable(),
  applied: z.strictObject({ of: z.number().int(), acked: z.number().int() }),
  /** The project's YAML for this service; empty when nothing is set. */
  yaml: z.string(),
});
export type SplitView = z.infer<typeof SplitView>;

export const GatewayListenerView = z.strictObject({
  /** `namespace/name` of the Gateway. */
  gateway: z.string(),
  port: z.number().int(),
  /** Port of 127.0.0.1 that leads there; `null` while it does not run. */
  published: z.number().int().nullable(),
  protocol: z.enum(['http', 'https', 'tls', 'tcp']),
  tls: z.enum(['simple', 'mutual', 'optional-mutual', 'mesh', 'passthrough']).nullable(),
  hosts: z.array(z.string()),
  url: z.string().nullable(),
  /** A command that tries it, also for names that this machine does not resolve. */
  command: z.string().nullable(),
  /** Whose certificate is shown: the project's, as the Gateway says, or one of the mesh in its place; `null`: none. */
  certificate: z.enum(['project', 'mesh']).nullable(),
});
export type GatewayListenerView = z.infer<typeof GatewayListenerView>;

/** A proxy that takes traffic from outside for one or more Gateways. */
export const GatewayView = z.strictObject({
  /** Of the workload that it is. */
  id: z.string(),
  name: z.string(),
  namespace: z.string(),
  gateways: z.array(z.string()),
  /** `attached`: it runs. */
  mesh: MeshState,
  reason: z.string().nullable(),
  place: z.enum(['docker', 'process']).nullable(),
  listeners: z.array(GatewayListenerView),
  /** File with the root that clients have to trust where the mesh's certificate is shown; `null`: nowhere. */
  rootFile: z.string().nullable(),
});
export type GatewayView = z.infer<typeof GatewayView>;

export const CertificateDetail = z.strictObject({
  subject: z.string(),
  issuer: z.string(),
  serial: z.string(),
  notBefore: z.string(),
  notAfter: z.string(),
  fingerprintSha256: z.string(),
  keyType: z.string(),
  signatureAlgorithm: z.string(),
  sans: z.array(z.string()),
  isCa: z.boolean(),
  extensions: z.array(z.strictObject({ oid: z.string(), name: z.string(), critical: z.boolean(), value: z.string() })),
  pem: z.string(),
});
export type CertificateDetail = z.infer<typeof CertificateDetail>;

export const CertificateView = z.strictObject({
  workload: z.strictObject({ id: z.string(), name: z.string(), service: z.string(), namespace: z.string() }),
  spiffeId: z.string(),
  subject: z.string(),
  issuer: z.string(),
  serial: z.string(),
  notBefore: z.string(),
  notAfter: z.string(),
  /** When it is rotated by itself: half of its life. */
  rotatesAt: z.string(),
  fingerprintSha256: z.string(),
  /** PEM, workload certificate first, root last. */
  chain: z.array(z.string()),
  details: z.array(CertificateDetail),
  rotations: z.number().int(),
});
export type CertificateView = z.infer<typeof CertificateView>;

export const CertificateCheck = z.strictObject({
  ok: z.boolean(),
  checks: z.array(z.strictObject({ name: z.string(), ok: z.boolean(), message: z.string() })),
});
export type CertificateCheck = z.infer<typeof CertificateCheck>;

export const ExportFile = z.strictObject({ path: z.string(), content: z.string() });
export type ExportFile = z.infer<typeof ExportFile>;

export const ExportFinding = z.strictObject({
  kind: z.enum(['mapped', 'approximated', 'dropped']),
  what: z.string(),
  reason: z.string(),
  file: z.string().nullable(),
});
export type ExportFinding = z.infer<typeof ExportFinding>;

export const ExportResult = z.strictObject({
  target: z.string(),
  files: z.array(ExportFile),
  findings: z.array(ExportFinding),
  /** Absolute path; `null` for a preview. */
  outDir: z.string().nullable(),
});
export type ExportResult = z.infer<typeof ExportResult>;

export const DoctorCheck = z.strictObject({
  name: z.string(),
  status: z.enum(['ok', 'warn', 'fail', 'skipped']),
  message: z.string(),
  fix: z.string().nullable(),
});
export type DoctorCheck = z.infer<typeof DoctorCheck>;

export const CleanupResult = z.strictObject({
  containers: z.array(z.string()),
  rules: z.array(z.string()),
  images: z.array(z.string()),
  problems: z.array(z.string()),
});
export type CleanupResult = z.infer<typeof CleanupResult>;

/** A step of a long operation: attach, detach, image build, sample start. */
export const Progress = z.strictObject({
  operation: z.enum(['attach', 'detach', 'renew', 'image', 'sample', 'cleanup']),
  /** Workload id; `null` when it concerns all. */
  workload: z.string().nullable(),
  step: z.string(),
  state: z.enum(['running', 'done', 'failed']),
  message: z.string().nullable(),
  percent: Percent.nullable(),
});
export type Progress = z.infer<typeof Progress>;

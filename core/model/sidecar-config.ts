/**
 * Everything one sidecar needs to do its work, compiled from resources, workloads and faults. It is the only thing the
 * data plane knows of the mesh. Strict on purpose: a field one side does not know is an error, not a silent loss.
 */
import { z } from 'zod';
import { GatewayConfig } from './gateway-config.ts';
import { MtlsMode } from './identity.ts';
import { InjectionConfig } from './injection-config.ts';
import { L4RouteConfig } from './l4-config.ts';
import { PortProtocol, ProxyProtocol } from './protocol.ts';
import {
  ClusterPolicy,
  CorsConfig,
  DirectResponseConfig,
  EndpointShare,
  HeaderChanges,
  HealthCheckConfig,
  MirrorConfig,
  PolicyEntry,
  RateLimitConfig,
  RedirectConfig,
  RetryConfig,
  RewriteConfig,
} from './traffic-config.ts';

const Port = z.number().int().min(1).max(65_535);

/** Istio StringMatch. `regex` is a full match. */
export const StringMatch = z.union(
  [
    z.strictObject({ exact: z.string() }),
    z.strictObject({ prefix: z.string() }),
    z.strictObject({ regex: z.string() }),
  ],
  'give exactly one of exact, prefix and regex',
);
export type StringMatch = z.infer<typeof StringMatch>;

/** Conditions of one block are ANDed, blocks are ORed. Header names are lower-case; `{}` asks for presence. */
export const HttpMatch = z.strictObject({
  name: z.string().optional(),
  uri: StringMatch.optional(),
  ignoreUriCase: z.boolean().optional(),
  method: StringMatch.optional(),
  authority: StringMatch.optional(),
  scheme: StringMatch.optional(),
  headers: z.record(z.string(), z.union([StringMatch, z.strictObject({})])).optional(),
  withoutHeaders: z.record(z.string(), z.union([StringMatch, z.strictObject({})])).optional(),
  queryParams: z.record(z.string(), z.union([StringMatch, z.strictObject({})])).optional(),
  port: Port.optional(),
});
export type HttpMatch = z.infer<typeof HttpMatch>;

export const RouteDestination = z.strictObject({
  service: z.string(),
  /** `null`: all endpoints of the service. */
  subset: z.string().nullable(),
  /** `null`: the port that was asked for. */
  port: Port.nullable(),
  weight: z.number().int().min(0),
  /** After the route's own. */
  headers: HeaderChanges.optional(),
});
export type RouteDestination = z.infer<typeof RouteDestination>;

export const HttpRoute = z.strictObject({
  /** Unique in the service; shown in explanations and used as the scope of faults. */
  name: z.string(),
  /** Empty: matches everything. */
  match: z.array(HttpMatch),
  /** None only for a redirect or a direct response. */
  destinations: z.array(RouteDestination),
  /** `null`: no timeout, Istio's default. */
  timeoutMs: z.number().int().positive().nullable(),
  redirect: RedirectConfig.optional(),
  directResponse: DirectResponseConfig.optional(),
  rewrite: RewriteConfig.optional(),
  headers: HeaderChanges.optional(),
  /** Absent: connect failures are repeated, as with Istio's default policy. */
  retries: RetryConfig.optional(),
  mirrors: z.array(MirrorConfig).optional(),
  cors: CorsConfig.optional(),
  rateLimits: z.array(RateLimitConfig).optional(),
});
export type HttpRoute = z.infer<typeof HttpRoute>;

export const Endpoint = z.strictObject({
  /** Workload id. */
  id: z.string(),
  name: z.string(),
  address: z.string(),
  /** Service port -> port to connect to. A port that is not listed is used as it is. */
  ports: z.array(z.strictObject({ port: Port, targetPort: Port })),
  version: z.string().nullable(),
  /** Lower-case names whose plain DNS answer includes this endpoint. Without a route, a request to one of them goes only there. */
  hosts: z.array(z.string()),
  /** True when the endpoint's sidecar accepts mesh mTLS. */
  mesh: z.boolean(),
  spiffeId: z.string(),
});
export type Endpoint = z.infer<typeof Endpoint>;

export const ServiceConfig = z.strictObject({
  /** `name.namespace`. */
  key: z.string(),
  name: z.string(),
  namespace: z.string(),
  /** Lower-case host names (no port) by which this sidecar's application may address the service. */
  hosts: z.array(z.string()),
  ports: z.array(z.strictObject({ port: Port, protocol: PortProtocol })),
  /** True: at other ports it is none of the services that this sidecar knows. */
  portsOnly: z.boolean().optional(),
  subsets: z.array(z.strictObject({ name: z.string(), endpoints: z.array(z.string()) })),
  /** In order, first match wins. None: the default, to the endpoints that the host name resolves to. */
  routes: z.array(HttpRoute),
  endpoints: z.array(Endpoint),
  /** Traffic policies; none: Istio's defaults. */
  policies: z.array(PolicyEntry).optional(),
  /** For connections that are not HTTP, in order. None: as without. */
  l4Routes: z.array(L4RouteConfig).optional(),
  /** By locality; none: all endpoints alike. */
  shares: z.array(EndpointShare).optional(),
  /** Addresses and blocks by which it is dialled besides those of its endpoints: virtual ones. */
  addresses: z.array(z.string()).optional(),
  /** Names (`*.` before one: all below it) that no DNS server knows, with what the sidecar answers for them. */
  dns: z.array(z.strictObject({ hosts: z.array(z.string()), addresses: z.array(z.string()) })).optional(),
  /** True: no endpoints of its own, traffic goes to the address that was dialled (ServiceEntry, resolution NONE). */
  originalDestination: z.boolean().optional(),
});
export type ServiceConfig = z.infer<typeof ServiceConfig>;

export const FaultConfig = z.strictObject({
  id: z.string(),
  /** Destination service key. */
  service: z.string(),
  /** Route name; `null`: every request to the service. */
  route: z.string().nullable(),
  action: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('delay'), delayMs: z.number().int().min(1) }),
    z.strictObject({
      kind: z.literal('abort'),
      httpStatus: z.number().int().min(200).max(599),
      /** Of the answer to a gRPC request; `httpStatus` is 200 then. */
      grpcStatus: z.number().int().min(0).max(16).optional(),
    }),
  ]),
  percent: z.number().min(0).max(100),
  seed: z.number().int(),
  /** Control plane's wall clock; `null`: until it is taken away or the lease lapses. */
  expiresAtMs: z.number().nullable(),
});
export type FaultConfig = z.infer<typeof FaultConfig>;

const ListenAddress = z.strictObject({ host: z.string(), port: Port });

/** Transparent: redirect rules bring the traffic. Explicit: the application is pointed at these listeners. Gateway: from outside. */
export const ListenerConfig = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('transparent'),
    outboundPort: Port,
    inboundPort: Port,
    /** Where questions to the application's resolvers arrive, UDP and TCP; absent: they go straight there. */
    dnsPort: Port.optional(),
  }),
  z.strictObject({
    kind: z.literal('explicit'),
    inbound: z.array(z.strictObject({ listen: ListenAddress, target: ListenAddress, port: Port })),
    outbound: z.array(z.strictObject({ listen: ListenAddress, service: z.string(), port: Port })),
    /** Serves `/proxy/{service}/{path}` and absolute-form requests. */
    httpProxy: ListenAddress.nullable(),
  }),
  /** A gateway's: `port` is the number of the Gateway's servers, which may differ from where this machine lets it listen. */
  z.strictObject({
    kind: z.literal('gateway'),
    ports: z.array(z.strictObject({ listen: ListenAddress, port: Port })),
  }),
]);
export type ListenerConfig = z.infer<typeof ListenerConfig>;

export const SidecarConfig = z.strictObject({
  formatVersion: z.literal(1),
  /** Revision of the snapshot this was compiled from. */
  revision: z.number().int().min(0),
  workload: z.strictObject({
    id: z.string(),
    name: z.string(),
    service: z.string(),
    namespace: z.string(),
    version: z.string().nullable(),
    spiffeId: z.string(),
  }),
  trustDomain: z.string(),
  listeners: ListenerConfig,
  inbound: z.strictObject({
    mtls: MtlsMode,
    ports: z.array(
      z.strictObject({
        port: Port,
        protocol: PortProtocol,
        mtls: MtlsMode,
        /** Absent: the PROXY protocol plays no part at this port. */
        proxyProtocol: ProxyProtocol.optional(),
        /** Where the application listens for it (`null`: the address that was dialled); absent: at this port. */
        target: z.strictObject({ host: z.string().nullable(), port: Port }).optional(),
        /** How many connections and requests may be on their way to the application, and how long connections live. */
        pool: ClusterPolicy.optional(),
      }),
    ),
    /** For every request that comes to the workload; absent: none. */
    rateLimits: z.array(RateLimitConfig).optional(),
    /** Addresses whose connections pass a sidecar of their own. What they had open in plaintext before ends politely; absent: none. */
    attachedCallers: z.array(z.string()).optional(),
  }),
  services: z.array(ServiceConfig),
  /** Of VirtualServices: before the router, as Envoy's fault filter. */
  faults: z.array(FaultConfig),
  /** FaultInjections that are switched on. */
  injections: z.array(InjectionConfig).optional(),
  /** Endpoints are asked whether they are well; absent: they are not. */
  healthCheck: HealthCheckConfig.optional(),
  /** What rules name by file: certificates, keys, roots. Only what this sidecar needs. */
  files: z.array(z.strictObject({ name: z.string(), text: z.string() })).optional(),
  /** Where traffic to hosts of no service goes; absent: `allow-any`, straight on. */
  outbound: z.enum(['allow-any', 'registry-only']).optional(),
  /** Instead, such traffic goes to this service. */
  egressProxy: z.strictObject({ service: z.string(), subset: z.string().nullable(), port: Port.nullable() }).optional(),
  /** Present for gateways: what comes in at their ports. */
  gateway: GatewayConfig.optional(),
});
export type SidecarConfig = z.infer<typeof SidecarConfig>;

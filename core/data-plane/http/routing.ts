/**
 * Where a request goes. Pure but for the random draw between weighted destinations: context + request + configuration
 * in, a decision out. Outbound HTTP is routed by Host and port and not by the address that was dialled, as in Istio.
 */
import { isIP } from 'node:net';
import type { EdgeKey } from '../../model/telemetry-report.ts';
import { toServiceKey } from '../../model/workload.ts';
import { pickDestination } from '../../policy/pick-destination.ts';
import type { Random } from '../../shared/random.ts';
import type { Address, DownstreamContext } from '../connection.ts';
import type { CompiledConfig } from './compiled-config.ts';
import type { CompiledFault, CompiledService, HttpEndpoint } from './compiled-service.ts';
import { inboundEdge, outboundEdge, portOf } from './edges.ts';
import type { ParsedRequest } from './parsed-request.ts';
import { splitQuery } from './request-target.ts';

/** Answered by the mesh itself; `flag` is Envoy's response flag. */
export interface LocalAnswer {
  readonly kind: 'answer';
  readonly status: number;
  readonly flag: string;
  readonly body: string;
  readonly edge: EdgeKey;
  readonly service: string | null;
}

/** Goes to one of `candidates`. */
export interface Forward {
  readonly kind: 'forward';
  readonly candidates: readonly HttpEndpoint[];
  /** The service that was asked for; `null` when it is none of the mesh's. */
  readonly service: string | null;
  readonly route: string | null;
  readonly timeoutMs: number | null;
  readonly faults: readonly CompiledFault[];
  /** Target and Host to write instead of the ones sent. */
  readonly target: string | null;
  readonly host: string | null;
  /** Edge of answers given before an endpoint is chosen. */
  readonly edge: EdgeKey;
}

export type Routing = LocalAnswer | Forward;

const noFaults: readonly CompiledFault[] = [];

export function routeRequest(
  context: DownstreamContext,
  request: ParsedRequest,
  config: CompiledConfig,
  random: Random,
): Routing {
  if (context.direction === 'inbound') return routeInbound(context, request, config);
  if (context.forwardProxy) return routeForwardProxy(request, config, random);
  const rewrite = { target: request.rewrittenTarget, host: request.form === 'absolute' ? request.authority : null };
  if (context.service !== null) {
    const service = config.serviceByKey(context.service.key);
    if (service === null) return unknownService(context.service.key, config, request.port);
    return routeToService(service, request, rewrite, config, random);
  }
  const service = isIP(request.host) === 0 ? config.serviceByHost(request.host, request.port) : null;
  if (service !== null) return routeToService(service, request, rewrite, config, random);
  return routeToOriginalDestination(context, request, config, rewrite);
}

/**
 * Where a CONNECT goes that was meant for a proxy beyond us: the address that was dialled. `null` on explicit listeners,
 * where we would have to be that proxy.
 */
export function tunnelEndpoint(context: DownstreamContext, config: CompiledConfig): HttpEndpoint | null {
  const destination = context.originalDestination;
  if (destination === null) return null;
  if (context.direction === 'inbound') return toPlainEndpoint(destination, inboundEdge(context, destination.port));
  const located = config.endpointAt(destination.host, destination.port);
  const service = located === null ? null : config.serviceByKey(located.service.key);
  if (located !== null && service !== null) return service.toEndpoint(located.endpoint, located.port);
  return toPlainEndpoint(destination, outboundEdge(null, null, destination.host, destination.port, false));
}

type Rewrite = { readonly target: string | null; readonly host: string | null };

function routeToService(
  service: CompiledService,
  request: ParsedRequest,
  rewrite: Rewrite,
  config: CompiledConfig,
  random: Random,
): Routing {
  const { key } = service.config;
  const edge = outboundEdge(key, null, null, request.port, false);
  if (service.matchRoute === null) {
    const candidates = service.endpointsOfHost(request.host, request.port);
    if (candidates.length === 0) return noHealthyUpstream(key, edge);
    const faults = service.faultsOf(null);
    return { kind: 'forward', candidates, service: key, route: null, timeoutMs: null, faults, ...rewrite, edge };
  }
  const route = service.matchRoute(request);
  if (route === null) {
    // Istio: a VirtualService without a catch-all answers 404 for what it does not match.
    const body = `no route of ${key} matches this request\n`;
    return { kind: 'answer', status: 404, flag: 'NR', body, edge, service: key };
  }
  const destination = pickDestination(route.destinations, random);
  const target = destination === null ? null : config.serviceByKey(destination.service);
  if (destination === null || target === null) return noHealthyUpstream(key, edge);
  const candidates = target.endpoints(destination.subset, destination.port ?? request.port);
  if (candidates.length === 0) return noHealthyUpstream(key, edge);
  return {
    kind: 'forward',
    candidates,
    service: key,
    route: route.name,
    timeoutMs: route.timeoutMs,
    faults: service.faultsOf(route.name),
    ...rewrite,
    edge,
  };
}

/** A host name that is no service of the mesh, or an address: the endpoint that was dialled, else straight through. */
function routeToOriginalDestination(
  context: DownstreamContext,
  request: ParsedRequest,
  config: CompiledConfig,
  rewrite: Rewrite,
): Routing {
  const destination = context.originalDestination;
  if (destination === null) return unknownService(request.host, config, request.port);
  const located = config.endpointAt(destination.host, destination.port);
  const service = located === null ? null : config.serviceByKey(located.service.key);
  if (located === null || service === null) {
    const edge = outboundEdge(null, null, destination.host, destination.port, false);
    // An egress proxy needs the absolute form; only the Host is made to agree with it.
    return straight(toPlainEndpoint(destination, edge), edge, null, rewrite.host);
  }
  const endpoint = service.toEndpoint(located.endpoint, located.port);
  return {
    kind: 'forward',
    candidates: [endpoint],
    service: service.config.key,
    route: null,
    timeoutMs: null,
    faults: service.faultsOf(null),
    ...rewrite,
    edge: endpoint.edge,
  };
}

function routeInbound(context: DownstreamContext, request: ParsedRequest, config: CompiledConfig): Routing {
  const { workload } = config.source;
  const service = toServiceKey(workload.service, workload.namespace);
  const port = portOf(context);
  const edge = inboundEdge(context, port);
  const destination = context.target ?? context.originalDestination;
  if (destination === null) {
    const body = 'the address of the application is unknown\n';
    return { kind: 'answer', status: 503, flag: 'UH', body, edge, service };
  }
  const host = request.form === 'absolute' ? request.authority : null;
  return straight(toPlainEndpoint(destination, edge), edge, service, host);
}

function routeForwardProxy(request: ParsedRequest, config: CompiledConfig, random: Random): Routing {
  if (request.form === 'absolute') {
    const service =
      config.serviceByHost(request.host, request.authorityPort ?? 80) ?? config.serviceByName(request.host);
    if (service === null) return unknownService(request.host, config, request.authorityPort ?? 80);
    const asked = { ...request, port: request.authorityPort ?? defaultPort(service) };
    const rewrite = { target: request.rewrittenTarget, host: request.authority };
    return routeToService(service, asked, rewrite, config, random);
  }
  const match = /^\/proxy\/([^/:]+)(?::(\d{1,5}))?(\/.*)?$/.exec(request.path);
  const [, name, port, rest] = match ?? [];
  if (name === undefined) return proxyUsage(config, request.port);
  const service = config.serviceByName(name.toLowerCase());
  if (service === null) return unknownService(name, config, Number(port ?? 0));
  const path = rest ?? '/';
  const target = request.query === '' ? path : `${path}?${request.query}`;
  const host = service.config.name;
  const asked = {
    ...request,
    ...splitQuery(target),
    host,
    port: port === undefined ? defaultPort(service) : Number(port),
  };
  return routeToService(service, asked, { target, host }, config, random);
}

/** 80 when the service has it, else its first port that may speak HTTP. */
function defaultPort(service: CompiledService): number {
  const { ports } = service.config;
  if (ports.some(({ port }) => port === 80)) return 80;
  const http = ports.find(({ protocol }) => protocol === 'http') ?? ports.find(({ protocol }) => protocol === 'auto');
  return (http ?? ports[0])?.port ?? 80;
}

function straight(endpoint: HttpEndpoint, edge: EdgeKey, service: string | null, host: string | null): Forward {
  return {
    kind: 'forward',
    candidates: [endpoint],
    service,
    route: null,
    timeoutMs: null,
    faults: noFaults,
    target: null,
    host,
    edge,
  };
}

/** A plaintext address that belongs to no service. */
function toPlainEndpoint({ host, port }: Address, edge: EdgeKey): HttpEndpoint {
  return {
    endpoint: { id: '', name: '', address: host, ports: [], version: null, hosts: [], mesh: false, spiffeId: '' },
    port,
    target: { host, port, tls: null },
    edge,
    key: `${edge.direction} ${host}:${port}`,
  };
}

function noHealthyUpstream(service: string, edge: EdgeKey): LocalAnswer {
  return { kind: 'answer', status: 503, flag: 'UH', body: 'no healthy upstream', edge, service };
}

function unknownService(name: string, config: CompiledConfig, port: number): LocalAnswer {
  const body = `no service "${name}" in this mesh; known services: ${knownServices(config)}\n`;
  return {
    kind: 'answer',
    status: 404,
    flag: 'NR',
    body,
    edge: outboundEdge(null, null, null, port, false),
    service: null,
  };
}

function proxyUsage(config: CompiledConfig, port: number): LocalAnswer {
  const body = `ask for /proxy/{service}/{path} or use this address as HTTP proxy; known services: ${knownServices(config)}\n`;
  return {
    kind: 'answer',
    status: 404,
    flag: 'NR',
    body,
    edge: outboundEdge(null, null, null, port, false),
    service: null,
  };
}

function knownServices(config: CompiledConfig): string {
  const keys = config.source.services.map((service) => service.key).sort();
  return keys.length === 0 ? '(none)' : keys.join(', ');
}

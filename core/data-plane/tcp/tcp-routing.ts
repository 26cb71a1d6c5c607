import { meshAlpn } from '../../model/identity.ts';
import type { Endpoint } from '../../model/sidecar-config.ts';
import type { EdgeKey } from '../../model/telemetry-report.ts';
import { pickDestination } from '../../policy/pick-destination.ts';
import { pickEndpoint } from '../../policy/pick-endpoint.ts';
import { toTargetPort } from '../../policy/select-endpoints.ts';
import type { Random } from '../../shared/random.ts';
import type { DownstreamContext, UpstreamTarget } from '../connection.ts';
import type { CompiledConfig, LocatedEndpoint } from '../http/compiled-config.ts';
import type { CompiledService } from '../http/compiled-service.ts';

/** Where a TCP connection goes, and the edge it counts on. */
export interface TcpUpstream {
  readonly target: UpstreamTarget;
  readonly key: EdgeKey;
  /** `null`: no endpoint of the mesh. */
  readonly endpointId: string | null;
}

/**
 * Chooses once, for the connection's whole life; `null`: there is nowhere to go.
 *
 *   inbound   the application
 *   outbound  1. the service of an explicit listener  2. the endpoint that was dialled  3. the service that the server
 *             name of the application's own TLS names  4. the address that was dialled, outside the mesh
 *
 * 1 and 3 name a service, so the weights and subsets of its catch-all route count. 2 names one endpoint and gets it.
 * `active`: connections that an endpoint has now.
 */
export function routeConnection(
  context: DownstreamContext,
  config: CompiledConfig,
  active: (endpoint: Endpoint) => number,
  random: Random,
): TcpUpstream | null {
  if (context.direction === 'inbound') return toApplication(context);
  const { service: named, originalDestination: asked, serverName } = context;
  if (named !== null) {
    const service = config.serviceByKey(named.key);
    return service === null ? null : toService(service, null, named.port, config, active, random);
  }
  if (asked === null) return null;
  const located = config.endpointAt(asked.host, asked.port);
  if (located !== null) return toEndpoint(located);
  const service = serverName === undefined ? null : config.serviceByHost(serverName, asked.port);
  if (service !== null && serverName !== undefined) {
    return toService(service, serverName, asked.port, config, active, random);
  }
  return { target: { host: asked.host, port: asked.port, tls: null }, key: toUnknownEdge(context), endpointId: null };
}

/** Of the routes only one without conditions can apply: there is no request to look at. */
function toService(
  service: CompiledService,
  host: string | null,
  askedPort: number,
  config: CompiledConfig,
  active: (endpoint: Endpoint) => number,
  random: Random,
): TcpUpstream | null {
  const route = service.config.routes.find(({ match }) => match.length === 0);
  let chosen = service;
  let port = askedPort;
  let candidates = host === null ? service.endpoints(null, port) : service.endpointsOfHost(host, port);
  if (route !== undefined) {
    const destination = pickDestination(route.destinations, random);
    const target = destination === null ? null : config.serviceByKey(destination.service);
    if (destination === null || target === null) return null;
    chosen = target;
    port = destination.port ?? askedPort;
    candidates = target.endpoints(destination.subset, port);
  }
  const picked = pickEndpoint(candidates, ({ endpoint }) => active(endpoint), random);
  return picked === null ? null : toEndpoint({ service: chosen.config, endpoint: picked.endpoint, port });
}

function toEndpoint({ service, endpoint, port }: LocatedEndpoint): TcpUpstream {
  const { mesh, spiffeId } = endpoint;
  return {
    target: {
      host: endpoint.address,
      port: toTargetPort(endpoint, port),
      tls: mesh ? { alpn: meshAlpn.tcp, spiffeId, serverName: service.key } : null,
    },
    key: {
      direction: 'outbound',
      peerService: service.key,
      peerWorkload: endpoint.id,
      peerAddress: endpoint.address,
      peerSpiffeId: mesh ? spiffeId : null,
      port,
      protocol: 'tcp',
      mtls: mesh,
    },
    endpointId: endpoint.id,
  };
}

function toApplication(context: DownstreamContext): TcpUpstream | null {
  const application = context.target ?? context.originalDestination;
  if (application === null) return null;
  const target = { host: application.host, port: application.port, tls: null };
  return { target, key: toUnknownEdge(context), endpointId: null };
}

/** The edge to a peer of which only the address (and, with mTLS, the identity; with TLS of its own, the name) is known. */
export function toUnknownEdge(context: DownstreamContext): EdgeKey {
  const isInbound = context.direction === 'inbound';
  return {
    direction: context.direction,
    peerService: context.service?.key ?? null,
    peerWorkload: null,
    peerAddress: isInbound ? context.remote.host : (context.originalDestination?.host ?? null),
    peerSpiffeId: context.peerSpiffeId,
    port: context.service?.port ?? context.target?.servicePort ?? context.originalDestination?.port ?? 0,
    protocol: 'tcp',
    mtls: context.peerSpiffeId !== null,
    ...(isInbound || context.serverName === undefined ? {} : { serverName: context.serverName }),
  };
}

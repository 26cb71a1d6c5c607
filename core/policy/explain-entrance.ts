/** Which service a request is for: by its host name and port at a sidecar, by virtual host at a gateway. */
import type { GatewayConfig } from '../model/gateway-config.ts';
import type { ServiceConfig, SidecarConfig } from '../model/sidecar-config.ts';
import { answered, type ExplainedOutcome } from './explain-outcome.ts';
import { compileDomains } from './match-domain.ts';
import { nameServices } from './name-services.ts';
import type { RequestView } from './request-view.ts';

export type Entrance =
  /** `sealed`: TLS that is not opened here, so only rules of connections apply. */
  | { readonly kind: 'service'; readonly service: ServiceConfig; readonly sealed: boolean }
  | { readonly kind: 'outcome'; readonly outcome: ExplainedOutcome };

const outcome = (made: ExplainedOutcome): Entrance => ({ kind: 'outcome', outcome: made });
const isSealed = ({ scheme }: RequestView): boolean => scheme === 'https';

/** @param named key of the service that the listener stands for; absent: the host decides */
export function enter(config: SidecarConfig, request: RequestView, named: string | undefined): Entrance {
  if (named !== undefined) {
    const service = config.services.find(({ key }) => key === named);
    if (service !== undefined) return { kind: 'service', service, sealed: isSealed(request) };
    return outcome(answered(404, 'NR', `${named} is no service that this workload sees`));
  }
  if (config.gateway !== undefined) return enterGateway(config.gateway, config, request);
  const names = nameServices(config.services, (service) => service);
  const { host, port } = request;
  const service = isAddress(host) ? names.byAddress(host, port) : names.byHost(host, port);
  if (service !== null) return { kind: 'service', service, sealed: isSealed(request) };
  return outside(config, request);
}

/** Redirected traffic goes where it was going; a sidecar that was asked by name knows of nowhere to go. */
function outside({ listeners, outbound, egressProxy, services }: SidecarConfig, request: RequestView): Entrance {
  if (listeners.kind !== 'transparent')
    return outcome(answered(404, 'NR', `no service of the mesh is called ${request.host}`));
  const proxy = services.find(({ key }) => key === egressProxy?.service);
  if (proxy !== undefined) return { kind: 'service', service: proxy, sealed: isSealed(request) };
  return outcome({ kind: 'outside', allowed: outbound !== 'registry-only' });
}

function isAddress(host: string): boolean {
  return /^\d{1,3}(?:\.\d{1,3}){3}$/.test(host) || host.includes(':');
}

function enterGateway({ ports }: GatewayConfig, { services }: SidecarConfig, request: RequestView): Entrance {
  const { host, port } = request;
  const taken = ports.find((one) => one.port === port);
  if (taken === undefined) {
    const known = ports.map((one) => one.port).join(', ') || 'none';
    return outcome({ kind: 'closed', why: `no Gateway has port ${port} of this proxy; ports: ${known}` });
  }
  const secured = taken.servers.filter(({ tls }) => tls !== undefined);
  const server = isSealed(request)
    ? compileDomains(secured.flatMap((one) => one.names.map((name) => [name, one] as const)))(host)
    : (taken.servers.find(({ tls }) => tls === undefined) ?? null);
  if (server === null) {
    const what = isSealed(request)
      ? `no server of port ${port} is for the name ${host}`
      : `port ${port} takes TLS only`;
    return outcome({ kind: 'closed', why: what });
  }
  const keyed = (key: string | null | undefined) => services.find((service) => service.key === key);
  if (server.protocol === 'tcp' || server.tls?.mode === 'passthrough') {
    const service = keyed(server.service);
    if (service !== undefined) return { kind: 'service', service, sealed: true };
    return outcome({ kind: 'closed', why: `nothing is bound to ${server.id}` });
  }
  const virtual = compileDomains(server.hosts.map((one) => [one.domain, one] as const))(host);
  if (virtual?.httpsRedirect === true && !isSealed(request)) {
    const query = request.query === '' ? '' : `?${request.query}`;
    const location = `https://${host}${request.path}${query}`;
    return outcome(answered(301, '', 'the Gateway redirects to https', location));
  }
  const service = keyed(virtual?.service);
  if (service !== undefined) return { kind: 'service', service, sealed: false };
  return outcome(answered(404, 'NR', `no route is bound to ${host} at port ${port}`));
}

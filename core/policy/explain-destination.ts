/** Where a request goes once its destination is drawn: the endpoints there are, and which one the load balancer takes. */
import type { Endpoint, RouteDestination, ServiceConfig, SidecarConfig } from '../model/sidecar-config.ts';
import { type ClusterPolicy, entryOf } from '../model/traffic-config.ts';
import type { Random } from '../shared/random.ts';
import { createHashRing, createMaglev } from './consistent-hash.ts';
import { hashRequest } from './hash-key.ts';
import { pickEndpoint } from './pick-endpoint.ts';
import type { RequestView } from './request-view.ts';
import { endpointKey, endpointsOfHost, endpointsOfSubset, toTargetPort } from './select-endpoints.ts';

export interface ExplainedEndpoint {
  readonly id: string;
  readonly name: string;
  readonly address: string;
  /** To connect to. */
  readonly port: number;
  readonly version: string | null;
  /** 0 is preferred. */
  readonly priority: number;
  /** Whom mutual TLS is made with; `null`: plaintext. */
  readonly spiffeId: string | null;
}

export interface ExplainedDestination {
  readonly service: string;
  readonly subset: string | null;
  readonly port: number;
  /** Percent of the route's traffic that this destination gets. */
  readonly share: number;
  readonly endpoints: readonly ExplainedEndpoint[];
  /** Id of the endpoint that this draw takes, with nothing under way and nothing ejected. */
  readonly chosen: string | null;
  readonly chosenBy: string;
  readonly policy: ClusterPolicy;
}

/** `null`: there is no such service or subset, or nothing of it can be reached. */
export function explainDestination(
  config: SidecarConfig,
  { service: key, subset, port }: Pick<RouteDestination, 'service' | 'subset' | 'port'>,
  share: number,
  request: RequestView,
  /** No route decides: only the endpoints that the host name stands for. */
  byHost: boolean,
  random: Random,
): ExplainedDestination | null {
  const service = config.services.find((candidate) => candidate.key === key);
  if (service === undefined) return null;
  const target = port ?? request.port;
  const entry = entryOf(service.policies ?? [], subset, target);
  const policy = entry?.policy ?? {};
  if (service.originalDestination === true) return passing(service, subset, target, share, policy, request);
  const endpoints = byHost ? endpointsOfHost(service, request.host) : endpointsOfSubset(service, subset);
  if (endpoints.length === 0) return null;
  const placed = { ...service, shares: entry?.shares ?? service.shares };
  const { chosen, chosenBy } = choose(placed, endpoints, target, policy, request, random);
  const shares = new Map(placed.shares?.map(({ endpoint, priority }) => [endpoint, priority]));
  return {
    service: key,
    subset,
    port: target,
    share,
    endpoints: endpoints.map((endpoint) => ({
      id: endpoint.id,
      name: endpoint.name,
      address: endpoint.address,
      port: toTargetPort(endpoint, target),
      version: endpoint.version,
      priority: shares.get(endpoint.id) ?? 0,
      spiffeId: endpoint.mesh ? endpoint.spiffeId : null,
    })),
    chosen: chosen?.id ?? null,
    chosenBy,
    policy,
  };
}

/** A service without endpoints of its own: the address that is dialled, which only the connection knows. */
function passing(
  { key }: ServiceConfig,
  subset: string | null,
  port: number,
  share: number,
  policy: ClusterPolicy,
  { host }: RequestView,
): ExplainedDestination {
  const dialled = { id: '', name: 'the address that was dialled', address: host, port, version: null, priority: 0 };
  const endpoints = [{ ...dialled, spiffeId: null }];
  return { service: key, subset, port, share, endpoints, chosen: '', chosenBy: 'resolution NONE', policy };
}

function choose(
  { key, shares }: Pick<ServiceConfig, 'key'> & { readonly shares: ServiceConfig['shares'] | undefined },
  all: readonly Endpoint[],
  port: number,
  { loadBalancer }: ClusterPolicy,
  request: RequestView,
  random: Random,
): { chosen: Endpoint | null; chosenBy: string } {
  const [only, ...others] = all;
  if (others.length === 0) return { chosen: only ?? null, chosenBy: 'the only endpoint' };
  const first = shares === undefined ? all : ofFirstPriority(all, shares);
  if (loadBalancer?.kind === 'hash') {
    const { hash, setCookie } = hashRequest(loadBalancer.key, { request, clientAddress: null }, random);
    const words = describeHashKey(loadBalancer.key);
    if (hash === null)
      return { chosen: drawn(first, random), chosenBy: `hash: the request has no ${words}, so any one` };
    const members = first.map((endpoint) => ({ key: endpointKey(key, endpoint, port) }));
    const create = loadBalancer.table === 'ring' ? createHashRing : createMaglev;
    const index = create(members, loadBalancer.size)(hash);
    const made = setCookie === null ? '' : ', made now: the answer sets it';
    return {
      chosen: index === null ? null : (first[index] ?? null),
      chosenBy: `hash of ${words} (${loadBalancer.table})${made}`,
    };
  }
  const words = {
    'round-robin': 'round robin: one after the other',
    random: 'random',
    passthrough: 'the address that was dialled',
  };
  const chosenBy =
    loadBalancer === undefined || loadBalancer.kind === 'least-request'
      ? 'least request: the less busy of two drawn'
      : words[loadBalancer.kind];
  return { chosen: drawn(first, random), chosenBy };
}

const drawn = (candidates: readonly Endpoint[], random: Random) => pickEndpoint(candidates, () => 0, random);

function ofFirstPriority(all: readonly Endpoint[], shares: NonNullable<ServiceConfig['shares']>): readonly Endpoint[] {
  const known = new Map(shares.map((share) => [share.endpoint, share]));
  const priorityOf = ({ id }: Endpoint) => known.get(id)?.priority ?? 0;
  const able = all.filter(({ id }) => (known.get(id)?.weight ?? 1) > 0);
  const first = Math.min(...able.map(priorityOf));
  return able.filter((endpoint) => priorityOf(endpoint) === first);
}

function describeHashKey(key: Parameters<typeof hashRequest>[0]): string {
  return key.kind === 'source-ip' ? 'the client’s address' : `${key.kind} ${key.name}`;
}

/** `tls` and `tcp` rules of VirtualServices for one service and source. */
import type { L4RouteConfig } from '../../model/l4-config.ts';
import type { TcpRule, TlsRule } from '../../model/l4-rules.ts';
import { namespaceOf } from '../../model/resource.ts';
import type { VirtualService } from '../../model/virtual-service.ts';
import { hostFit, resolveHost } from '../host-names.ts';
import type { MeshSnapshot, SnapshotService } from '../snapshot.ts';
import { exportTier } from '../visibility/exports.ts';
import { rulesFor } from './rule-index.ts';
import { isForSource, type RouteSource } from './virtual-services.ts';

/** From the first VirtualService for the service (exact host before wildcards, then the oldest) that has such rules. */
export function compileL4Routes(
  snapshot: MeshSnapshot,
  service: SnapshotService,
  source: RouteSource,
): readonly L4RouteConfig[] {
  const { services, resources } = snapshot;
  const fitting = rulesFor(
    resources.virtualServices,
    ({ spec }) => spec.hosts ?? [],
    services,
  )(service.key)
    .filter(({ spec }) => (spec.tls?.length ?? 0) + (spec.tcp?.length ?? 0) > 0)
    .map((resource) => ({
      resource,
      fit: Math.max(
        -1,
        ...(resource.spec.hosts ?? []).map((host) => hostFit(host, namespaceOf(resource), service, services)),
      ),
    }))
    .map((one) => ({
      ...one,
      tier: exportTier(one.resource.spec.exportTo, namespaceOf(one.resource), source.namespace),
    }))
    .filter(
      ({ fit, tier, resource }) =>
        fit >= 0 && tier !== null && isForSource({ gateways: resource.spec.gateways }, source),
    )
    .sort((a, b) => b.fit - a.fit || (a.tier ?? 2) - (b.tier ?? 2));
  const [first] = fitting;
  return first === undefined ? [] : toL4Routes(first.resource, source, services);
}

/** All such rules of one resource that are for this source. */
export function toL4Routes(
  { spec, metadata }: VirtualService,
  source: RouteSource,
  services: MeshSnapshot['services'],
): readonly L4RouteConfig[] {
  const namespace = namespaceOf({ metadata });
  const named = [
    ...(spec.tls ?? []).map((rule, index) => ({ rule, name: `tls-${index + 1}` })),
    ...(spec.tcp ?? []).map((rule, index) => ({ rule, name: `tcp-${index + 1}` })),
  ];
  return named.flatMap(({ rule, name }) => {
    const match = toMatch(rule, source);
    const destinations = (rule.route ?? []).map(({ destination: { host, subset, port }, weight }) => ({
      service: resolveHost(host, namespace, services).key,
      subset: subset || null,
      port: port?.number || null,
      weight: weight ?? 0,
    }));
    return match === null || destinations.length === 0 ? [] : [{ name, match, destinations }];
  });
}

/** The blocks that are for this source; `null` when the rule has blocks, but none for it. */
function toMatch(rule: TlsRule | TcpRule, source: RouteSource): L4RouteConfig['match'] | null {
  const given: readonly (TlsRule['match'][number] | NonNullable<TcpRule['match']>[number])[] = rule.match ?? [];
  const blocks = given.filter((block) => isForSource(block, source));
  if (given.length > 0 && blocks.length === 0) return null;
  return blocks.map((block) => ({
    ...('sniHosts' in block ? { sniHosts: block.sniHosts } : {}),
    ...(block.port ? { port: block.port } : {}),
    ...(block.destinationSubnets?.length ? { destinationSubnets: block.destinationSubnets } : {}),
  }));
}

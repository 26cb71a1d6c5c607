/** What resources name and is not there: gateways, delegates, ports, backends; Sidecars and rules that exclude each other. */

import { parseDuration } from '../../model/duration.ts';
import type { Finding } from '../../model/finding.ts';
import { hostCovers } from '../../model/host-syntax.ts';
import { describeResource, isIstioGateway, type MeshResources, namespaceOf, ofKind } from '../../model/resource.ts';
import type { HttpRule, VirtualService } from '../../model/virtual-service.ts';
import { resolveHost, toFqdn } from '../host-names.ts';
import { createDelegateFinder } from '../routes/delegates.ts';
import { isGranted } from '../routes/gateway-grants.ts';
import type { SnapshotService } from '../snapshot.ts';

type Services = ReadonlyMap<string, SnapshotService>;

export function warning(code: Finding['code'], message: string, hint: string): Finding {
  return { code, severity: 'warning', file: null, line: null, column: null, message, hint };
}

export function referenceFindings(resources: MeshResources, services: Services): readonly Finding[] {
  const find = createDelegateFinder(resources.virtualServices);
  const gateways = new Set(
    resources.kept.filter(isIstioGateway).map((gateway) => `${namespaceOf(gateway)}/${gateway.metadata.name}`),
  );
  return [
    ...resources.virtualServices.flatMap((resource) => [
      ...gatewayFindings(resource, gateways),
      ...delegateFindings(resource, find),
      ...(resource.spec.http ?? []).flatMap((rule, index) => [
        ...timeFindings(rule, `${describeResource(resource)}: spec.http[${index}]`),
        ...portFindings(rule, resource, services, index),
      ]),
    ]),
    ...routeFindings(resources, services),
    ...sidecarFindings(resources),
    ...egressFindings(resources, services),
  ];
}

/** `name` or `namespace/name`; the own namespace is meant without one. */
function gatewayFindings(resource: VirtualService, known: ReadonlySet<string>): readonly Finding[] {
  const named = [
    ...(resource.spec.gateways ?? []),
    ...(resource.spec.http ?? []).flatMap((rule) => (rule.match ?? []).flatMap((match) => match.gateways ?? [])),
  ].filter((name) => name !== 'mesh');
  return [...new Set(named)].flatMap((name) => {
    const full = name.includes('/') ? name : `${namespaceOf(resource)}/${name}`;
    if (known.has(full)) return [];
    return warning(
      'UNKNOWN_GATEWAY',
      `${describeResource(resource)}: there is no Gateway ${full}`,
      `Known gateways: ${[...known].join(', ') || 'none'}.`,
    );
  });
}

function delegateFindings(resource: VirtualService, find: ReturnType<typeof createDelegateFinder>): readonly Finding[] {
  return (resource.spec.http ?? []).flatMap(({ delegate }) => {
    if (delegate === undefined) return [];
    const namespace = delegate.namespace || namespaceOf(resource);
    if (find(namespace, delegate.name ?? '') !== undefined) return [];
    const message = `${describeResource(resource)}: there is no VirtualService ${namespace}/${delegate.name} without hosts to delegate to`;
    return warning('UNKNOWN_DELEGATE', message, 'A delegate has rules and no hosts.');
  });
}

/** Tries that cannot all fit into the timeout, and a time per try that means nothing. */
function timeFindings({ timeout, retries }: HttpRule, where: string): readonly Finding[] {
  const totalMs = parseDuration(timeout ?? '');
  const perTryMs = parseDuration(retries?.perTryTimeout ?? '');
  const attempts = retries?.attempts ?? 0;
  if (totalMs === null || perTryMs === null || attempts === 0) return [];
  if (perTryMs >= totalMs) {
    return [
      warning(
        'TIMEOUT_BELOW_RETRIES',
        `${where}: a try may take ${retries?.perTryTimeout}, as long as the whole request (${timeout}), so it means nothing`,
        'Make perTryTimeout shorter than timeout.',
      ),
    ];
  }
  if (perTryMs * (attempts + 1) <= totalMs) return [];
  const fit = Math.floor(totalMs / perTryMs);
  return [
    warning(
      'TIMEOUT_BELOW_RETRIES',
      `${where}: of ${attempts + 1} tries of ${retries?.perTryTimeout} only ${fit} fit into ${timeout}`,
      'Make timeout longer, or allow fewer attempts.',
    ),
  ];
}

/** Ports that no workload of the service has. */
function portFindings(rule: HttpRule, resource: VirtualService, services: Services, index: number): readonly Finding[] {
  const targets = [
    ...(rule.route ?? []),
    ...(rule.mirrors ?? []),
    ...(rule.mirror === undefined ? [] : [{ destination: rule.mirror }]),
  ];
  return targets.flatMap(({ destination: { host, port } }) => {
    const service = services.get(resolveHost(host, namespaceOf(resource), services).key);
    const number = port?.number ?? 0;
    if (number === 0 && service !== undefined && service.ports.length > 1)
      return portRequired(resource, index, service);
    if (
      number === 0 ||
      service === undefined ||
      service.ports.length === 0 ||
      service.ports.some((own) => own.port === number)
    )
      return [];
    const known = service.ports.map((own) => own.port).join(', ');
    return warning(
      'UNKNOWN_PORT',
      `${describeResource(resource)}: spec.http[${index}] sends to port ${number} of ${service.key}, which has ${known}`,
      'Name a port of the service.',
    );
  });
}

/** Without a port it is the one that was asked for: no trouble in the mesh, undefined at a gateway. */
function portRequired(resource: VirtualService, index: number, service: SnapshotService): readonly Finding[] {
  if (!(resource.spec.gateways ?? []).some((name) => name !== 'mesh')) return [];
  return [
    warning(
      'PORT_REQUIRED',
      `${describeResource(resource)}: spec.http[${index}] names no port of "${service.key}", which has ${service.ports.map((own) => own.port).join(', ')}`,
      'Name the port of the destination: at a gateway nobody has asked for one of them.',
    ),
  ];
}

/** Gateway API routes: services that do not exist, or that their namespace has not opened to the route. */
function routeFindings(resources: MeshResources, services: Services): readonly Finding[] {
  const grants = ofKind(resources.kept, 'ReferenceGrant');
  const routes = [...ofKind(resources.kept, 'HTTPRoute'), ...ofKind(resources.kept, 'GRPCRoute')];
  return routes.flatMap((route) => {
    const namespace = namespaceOf(route);
    const refs = (route.spec.rules ?? []).flatMap((rule) => rule.backendRefs ?? []);
    return refs.flatMap((ref) => {
      if ((ref.kind ?? 'Service') !== 'Service') return [];
      const key = `${ref.name}.${ref.namespace ?? namespace}`;
      if (!services.has(key))
        return warning(
          'UNKNOWN_HOST',
          `${describeResource(route)}: no workload serves ${key}`,
          'Check the name and namespace of the backendRef.',
        );
      if (isGranted(ref, namespace, grants)) return [];
      return warning(
        'REFERENCE_NOT_GRANTED',
        `${describeResource(route)}: ${key} is in another namespace that does not allow it`,
        `Add a ReferenceGrant to ${ref.namespace}.`,
      );
    });
  });
}

/** Hosts that a Sidecar lets through and nobody serves. */
function egressFindings(resources: MeshResources, services: Services): readonly Finding[] {
  const entries = ofKind(resources.kept, 'ServiceEntry').flatMap(({ spec }) => spec.hosts);
  const names = [...services.values()].map((service) => ({ host: toFqdn(service), namespace: service.namespace }));
  return ofKind(resources.kept, 'Sidecar').flatMap((sidecar) =>
    (sidecar.spec.egress ?? [])
      .flatMap(({ hosts }) => hosts)
      .flatMap((entry) => {
        const slash = entry.indexOf('/');
        const [whose, host] = [entry.slice(0, slash), entry.slice(slash + 1)];
        if (host.includes('*') || whose.startsWith('~')) return [];
        const namespace = whose === '.' ? namespaceOf(sidecar) : whose;
        const isKnown =
          names.some((name) => name.host === host && (namespace === '*' || name.namespace === namespace)) ||
          entries.some((known) => hostCovers(known, host));
        if (isKnown) return [];
        return warning(
          'UNKNOWN_HOST',
          `${describeResource(sidecar)}: nobody serves "${entry}"`,
          'Hosts of egress are full names with their namespace: shop/payments.shop.svc.cluster.local.',
        );
      }),
  );
}

/** Two Sidecars for all workloads of one namespace: only the oldest counts. */
function sidecarFindings(resources: MeshResources): readonly Finding[] {
  const wide = ofKind(resources.kept, 'Sidecar').filter(
    ({ spec }) => Object.keys(spec.workloadSelector?.labels ?? {}).length === 0,
  );
  return wide.flatMap((sidecar, index) => {
    const first = wide.findIndex((other) => namespaceOf(other) === namespaceOf(sidecar));
    const winner = wide[first];
    if (first === index || winner === undefined) return [];
    return warning(
      'MULTIPLE_SIDECARS',
      `${describeResource(sidecar)} is not used: ${describeResource(winner)} is for the whole namespace already`,
      'Merge the two, or give one a workloadSelector.',
    );
  });
}

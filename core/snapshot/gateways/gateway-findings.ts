/**
 * What a Gateway asks for and does not get here, and routes that its listeners do not take, in the words of the Gateway
 * API's status conditions. Gateways against each other: check-gateways.ts.
 */
import type { Finding } from '../../model/finding.ts';
import { toIstioProtocol } from '../../model/host-syntax.ts';
import { describeResource, isIstioGateway, type MeshResources, namespaceOf, ofKind } from '../../model/resource.ts';
import type { VirtualService } from '../../model/virtual-service.ts';
import { warning } from '../checks/check-references.ts';
import { configMapPrefix } from '../policies/upstream-tls.ts';
import { isSecretGranted } from '../routes/gateway-grants.ts';
import { type AttachableRoute, attachTo, intersectHosts, namesGateway, type Refusal } from './gateway-attachments.ts';
import { type GatewayProxy, gatewayProxies, k8sGateways } from './gateway-proxies.ts';
import { fullGatewayName, hostsAt } from './gateway-rules.ts';
import type { ProxyServer } from './proxy-server.ts';
import { filesPrefix } from './server-tls.ts';

interface Credentials {
  /** Whether the project has the certificate and key of this name. */
  readonly hasCredential: (name: string) => boolean;
  /** Why what there is for a credential is not used; `null`: it is. */
  readonly problemOf: (name: string) => string | null;
  /** Or the CAs. */
  readonly hasRoots: (name: string) => boolean;
}

export function gatewayStatusFindings(
  resources: MeshResources,
  rootNamespace: string,
  credentials: Credentials,
): readonly Finding[] {
  const proxies = gatewayProxies(resources, rootNamespace);
  const servers = [...new Map(proxies.flatMap((proxy) => proxy.servers.map((one) => [one.id, one] as const))).values()];
  return [
    ...unservedFindings(resources),
    ...proxies.flatMap(mergeFindings),
    ...credentialFindings(servers, credentials),
    ...servers.flatMap((server) => rootsFindings(server, credentials)),
    ...grantFindings(resources),
    ...resources.virtualServices.flatMap((resource) => unboundVirtualService(resource, servers)),
    ...routesOf(resources).flatMap((route) => unboundRoute(route, servers, resources)),
  ];
}

function info(code: Finding['code'], message: string, hint: string): Finding {
  return { ...warning(code, message, hint), severity: 'info' };
}

/** Servers and listeners that no proxy of ours has. */
function unservedFindings(resources: MeshResources): readonly Finding[] {
  const istio = resources.kept.filter(isIstioGateway).flatMap((gateway) =>
    (gateway.spec.servers ?? []).flatMap(({ port, tls, bind = '' }) => {
      const where = `${describeResource(gateway)}: port "${port.name}"`;
      if (tls?.mode === 'AUTO_PASSTHROUGH')
        return notServed(`${where} is AUTO_PASSTHROUGH, which is for other clusters`, 'It is kept and exported.');
      if (toIstioProtocol(port.protocol) === 'UDP') return notServed(`${where} is UDP`, 'Gateways here take TCP.');
      return bind.startsWith('unix://') ? notServed(`${where} is a Unix socket`, 'Give it a number.') : [];
    }),
  );
  const others = k8sGateways(resources).flatMap((gateway) =>
    gateway.spec.listeners.flatMap(({ name, protocol }) =>
      ['HTTP', 'HTTPS', 'TLS', 'TCP'].includes(protocol)
        ? []
        : notServed(`${describeResource(gateway)}: listener "${name}" is ${protocol}`, 'Gateways here take TCP.'),
    ),
  );
  return [...istio, ...others];
}

function notServed(message: string, hint: string): Finding[] {
  return [info('NOT_SERVED', `${message}: it is not served here`, hint)];
}

/** Servers that do not go together with what an older Gateway has at their port. */
function mergeFindings({ name, skipped }: GatewayProxy): readonly Finding[] {
  return skipped.map(({ server, by, hosts }) => {
    const { gateway, port } = server;
    if (hosts.length === 0) {
      return warning(
        'PORT_PROTOCOL',
        `Gateway ${gateway}: port ${port} is not served as ${speech(server)}, Gateway ${by.gateway} has it as ${speech(by)}`,
        'Give one of them another port.',
      );
    }
    const rest = server.hosts.length > hosts.length ? ', and none of its other hosts is served there' : '';
    return warning(
      'CONFLICTING_GATEWAY',
      `Gateway ${gateway}: Gateway ${by.gateway} has "${hosts.join('", "')}" at port ${port} of ${name} already${rest}`,
      'A server with TLS whose hosts are taken is left out as a whole: merge the two, or give them different hosts or ports.',
    );
  });
}

function speech({ protocol, tls }: ProxyServer): string {
  if (tls === null) return protocol;
  return protocol === 'http' ? 'https' : 'tls';
}

function credentialFindings(
  servers: readonly ProxyServer[],
  { hasCredential, hasRoots, problemOf }: Credentials,
): readonly Finding[] {
  return servers.flatMap(({ gateway, tls }) =>
    (tls?.certificates ?? []).flatMap((name) => {
      const isFile = name.startsWith(filesPrefix);
      const bare = isFile ? (name.slice(filesPrefix.length).split('|')[0] ?? '') : name.slice(name.indexOf('/') + 1);
      const problem = problemOf(name);
      if (problem !== null) {
        const shown = hasCredential(name) ? 'what was there before is shown' : 'a certificate of the mesh is shown';
        return warning(
          'BROKEN_CREDENTIAL',
          `Gateway ${gateway}: the credential "${bare}" ${problem}; ${shown}`,
          'Put a certificate and its key in PEM there: they are taken up within two seconds.',
        );
      }
      if (hasCredential(name)) return [];
      const needsCa = asksClients(tls) && (tls?.clientCa === undefined || !hasRoots(tls.clientCa));
      const how = isFile
        ? `Put ${bare} and its key into the project folder`
        : `Put secrets/${bare}.crt and secrets/${bare}.key${needsCa ? ` (and ${bare}.ca.crt, of the clients)` : ''} into the project, or a Secret`;
      return info(
        'NO_CREDENTIAL',
        `Gateway ${gateway}: the project has no credential "${bare}", so ${needsCa ? 'no client can come in' : 'a certificate of the mesh is shown'}`,
        `${how}; clients trust the mesh's root as \`meshdesk gateways\` says.`,
      );
    }),
  );
}

const asksClients = (tls: ProxyServer['tls']) => tls?.mode === 'mutual' || tls?.mode === 'optional-mutual';

/** CAs of clients that are named apart from a certificate. */
function rootsFindings({ gateway, tls }: ProxyServer, { hasRoots }: Credentials): readonly Finding[] {
  if (tls?.clientCa === undefined || !asksClients(tls) || hasRoots(tls.clientCa)) return [];
  const what = tls.clientCa.startsWith(configMapPrefix)
    ? `ConfigMap ${tls.clientCa.slice(configMapPrefix.length)}`
    : `Secret ${tls.clientCa}`;
  return [
    warning(
      'NO_CREDENTIAL',
      `Gateway ${gateway}: the project has no ${what} with ca.crt, so no client can come in`,
      'Put it into a YAML file of the project.',
    ),
  ];
}

function grantFindings(resources: MeshResources): readonly Finding[] {
  const grants = ofKind(resources.kept, 'ReferenceGrant');
  return k8sGateways(resources).flatMap((gateway) =>
    gateway.spec.listeners.flatMap(({ tls }) =>
      (tls?.certificateRefs ?? []).flatMap((ref) =>
        isSecretGranted(ref, namespaceOf(gateway), grants)
          ? []
          : warning(
              'REFERENCE_NOT_GRANTED',
              `${describeResource(gateway)}: Secret ${ref.namespace}/${ref.name} is in another namespace that does not allow it`,
              `Add a ReferenceGrant to ${ref.namespace}.`,
            ),
      ),
    ),
  );
}

/** Bound to a Gateway that has none of its hosts. Gateways that do not exist are said elsewhere. */
function unboundVirtualService(resource: VirtualService, servers: readonly ProxyServer[]): readonly Finding[] {
  const named = (resource.spec.gateways ?? []).filter((name) => name !== 'mesh');
  return named.flatMap((name) => {
    const full = fullGatewayName(name, namespaceOf(resource));
    const own = servers.filter(({ gateway, api }) => gateway === full && api === 'istio');
    if (own.length === 0 || own.some((server) => hostsAt(server, resource, intersectHosts).length > 0)) return [];
    const offered = [...new Set(own.flatMap(({ hosts }) => hosts.map(({ host }) => host)))].join(', ');
    return warning(
      'ROUTE_NOT_BOUND',
      `${describeResource(resource)}: Gateway "${name}" has none of its hosts (${(resource.spec.hosts ?? []).join(', ')})`,
      `Hosts of ${full}, of any namespace: ${offered}.`,
    );
  });
}

function routesOf({ kept }: MeshResources) {
  return [
    ...ofKind(kept, 'HTTPRoute'),
    ...ofKind(kept, 'GRPCRoute'),
    ...ofKind(kept, 'TLSRoute'),
    ...ofKind(kept, 'TCPRoute'),
  ];
}

const causes: Readonly<Record<Refusal, string>> = {
  NoMatchingListenerHostname: 'none of its listeners has such a host name',
  NotAllowedByListeners: 'its listeners do not take routes of this kind or namespace (allowedRoutes)',
  NoMatchingParent: 'none of its listeners has this section or port',
};
/** The one that says most comes first. */
const order = ['NoMatchingListenerHostname', 'NotAllowedByListeners', 'NoMatchingParent'] as const;

function unboundRoute(
  route: ReturnType<typeof routesOf>[number],
  servers: readonly ProxyServer[],
  resources: MeshResources,
): readonly Finding[] {
  const namespace = namespaceOf(route);
  const gateways = ofKind(resources.kept, 'Gateway')
    .filter((gateway) => !isIstioGateway(gateway))
    .map((gateway) => `${namespaceOf(gateway)}/${gateway.metadata.name}`);
  return (route.spec.parentRefs ?? []).flatMap((ref) => {
    if ((ref.kind ?? 'Gateway') !== 'Gateway') return [];
    const full = gateways.find((gateway) => namesGateway(ref, namespace, gateway));
    if (full === undefined) {
      const message = `${describeResource(route)}: there is no Gateway ${ref.namespace ?? namespace}/${ref.name} of the Gateway API`;
      return warning('UNKNOWN_GATEWAY', message, `Known gateways: ${gateways.join(', ') || 'none'}.`);
    }
    const alone: AttachableRoute = { ...route, spec: { ...route.spec, parentRefs: [ref] } };
    const outcomes = servers
      .filter(({ gateway, api }) => gateway === full && api === 'gateway-api')
      .map((server) => attachTo(alone, server));
    const refusal = order.find((one) => outcomes.includes(one));
    if (refusal === undefined || outcomes.some((outcome) => typeof outcome !== 'string')) return [];
    return warning(
      'ROUTE_NOT_BOUND',
      `${describeResource(route)}: Gateway "${ref.name}" does not accept it (${refusal}): ${causes[refusal]}`,
      'Change the route, or the listeners of the Gateway.',
    );
  });
}

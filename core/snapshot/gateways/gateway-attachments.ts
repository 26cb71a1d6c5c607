/** Which routes of the Gateway API a listener takes, and for which host names. Source: Gateway API, HTTPRoute and Listener. */
import type { ParentRef } from '../../model/gateway-api-fields.ts';
import type { GatewayListener } from '../../model/k8s-gateway.ts';
import { namespaceOf } from '../../model/resource.ts';
import type { ResourceMetadata } from '../../model/resource-metadata.ts';
import type { ProxyServer } from './proxy-server.ts';

export interface AttachableRoute {
  readonly kind: string;
  readonly metadata: ResourceMetadata;
  readonly spec: {
    readonly parentRefs?: readonly ParentRef[] | undefined;
    readonly hostnames?: readonly string[] | undefined;
  };
}

/** Why a listener does not take a route; in the words of the API's conditions. */
export type Refusal = 'NoMatchingParent' | 'NotAllowedByListeners' | 'NoMatchingListenerHostname';

/** Whether a parentRef names this Gateway, whatever its section and port. */
export function namesGateway(ref: ParentRef, routeNamespace: string, gateway: string): boolean {
  const { group = 'gateway.networking.k8s.io', kind = 'Gateway', name, namespace = routeNamespace } = ref;
  return group === 'gateway.networking.k8s.io' && kind === 'Gateway' && `${namespace}/${name}` === gateway;
}

/** Host names for which a listener takes a route (`*`: all), or why it does not. */
export function attachTo(route: AttachableRoute, server: ProxyServer): readonly string[] | Refusal {
  const { listener, gateway } = server;
  if (listener === null) return 'NoMatchingParent';
  const own = namespaceOf(route);
  const isNamed = (route.spec.parentRefs ?? []).some(
    (ref) =>
      namesGateway(ref, own, gateway) &&
      (ref.sectionName === undefined || ref.sectionName === listener.name) &&
      (ref.port === undefined || ref.port === listener.port),
  );
  if (!isNamed) return 'NoMatchingParent';
  if (!allowsKind(listener, route.kind) || !allowsNamespace(server, own)) return 'NotAllowedByListeners';
  const asked = route.spec.hostnames ?? [];
  const offered = listener.hostname ?? '*';
  if (asked.length === 0) return [offered.toLowerCase()];
  const hosts = asked.flatMap((host) => intersectHosts(offered.toLowerCase(), host.toLowerCase()) ?? []);
  return hosts.length === 0 ? 'NoMatchingListenerHostname' : hosts;
}

const kindsOf: Readonly<Record<string, readonly string[]>> = {
  HTTP: ['HTTPRoute', 'GRPCRoute'],
  HTTPS: ['HTTPRoute', 'GRPCRoute'],
  TLS: ['TLSRoute', 'TCPRoute'],
  TCP: ['TCPRoute'],
};

function allowsKind({ protocol, allowedRoutes }: GatewayListener, kind: string): boolean {
  const asked = allowedRoutes?.kinds;
  const isPossible = (kindsOf[protocol] ?? []).includes(kind);
  return isPossible && (asked === undefined || asked.some((one) => one.kind === kind));
}

/** By the labels of its Namespace; of one that the project does not have, only the name is known, and the rest is taken to fit. */
function allowsNamespace({ listener, gateway, namespaceLabels }: ProxyServer, namespace: string): boolean {
  const { from = 'Same', selector = {} } = listener?.allowedRoutes?.namespaces ?? {};
  if (from === 'Same') return gateway.startsWith(`${namespace}/`);
  if (from === 'All') return true;
  const known = namespaceLabels.get(namespace);
  const labels = { ...known, [nameLabel]: namespace };
  const { matchLabels = {}, matchExpressions = [] } = selector;
  const isSaid = (key: string) => known !== undefined || key === nameLabel;
  const requirements = [
    ...Object.entries(matchLabels).map(([key, value]) => ({ key, operator: 'In', values: [value] })),
    ...matchExpressions,
  ];
  return requirements.every((requirement) => !isSaid(requirement.key) || meets(labels, requirement));
}

/** Every namespace has it. */
const nameLabel = 'kubernetes.io/metadata.name';

/** Kubernetes' LabelSelectorRequirement. */
function meets(
  labels: Readonly<Record<string, string>>,
  { key, operator, values = [] }: { key: string; operator: string; values?: readonly string[] | undefined },
): boolean {
  const value = labels[key];
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default:
      return false;
  }
}

/** The more specific of two host names of which one covers the other; `null`: they have no name in common. */
export function intersectHosts(a: string, b: string): string | null {
  if (coversName(a, b)) return b;
  return coversName(b, a) ? a : null;
}

/** `*.example.com` covers names below it, and wildcards below or equal, never `example.com` itself. */
function coversName(pattern: string, host: string): boolean {
  if (pattern === '*' || pattern === host) return true;
  if (!pattern.startsWith('*')) return false;
  const suffix = pattern.slice(1);
  const name = host.startsWith('*') ? host.slice(1) : host;
  return name.endsWith(suffix) && (host.startsWith('*') || name.length > suffix.length);
}

/**
 * Gateways of both APIs, and the proxies that serve them.
 *
 *   proxy    one running gateway: what a selector selects (Istio), or what a Gateway of the Gateway API has for itself
 *   server   a port with hosts of a Gateway (Istio), or a listener (Gateway API), in one form
 *
 * Nothing is known here of what is bound to them (gateway-hosts.ts), nor of where a proxy runs.
 */
import type { GatewayServer } from '../../model/gateway.ts';
import { isHttpProtocol, toIstioProtocol } from '../../model/host-syntax.ts';
import type { GatewayListener, K8sGateway } from '../../model/k8s-gateway.ts';
import type { PortProtocol } from '../../model/protocol.ts';
import { compareText, isIstioGateway, type MeshResources, namespaceOf, ofKind } from '../../model/resource.ts';
import { matchesLabels, serviceAccountLabel } from '../workload-identity.ts';
import { type MergedServers, mergeServers } from './merge-servers.ts';
import type { ProxyServer } from './proxy-server.ts';
import { compileListenerTls, compileServerTls } from './server-tls.ts';

/** `skipped`: what Gateways ask for besides that does not go together with it. */
export interface GatewayProxy extends MergedServers {
  /** Id of the workload that it is. */
  readonly id: string;
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  /** By port, then in the order of the Gateways. */
  readonly servers: readonly ProxyServer[];
}

const ingress = { app: 'istio-ingressgateway', istio: 'ingressgateway' };
const egress = { app: 'istio-egressgateway', istio: 'egressgateway' };
/** Classes whose Gateways are no entrance (Istio's ambient mode and multicluster). */
const otherClasses = new Set(['istio-waypoint', 'istio-remote', 'istio-east-west']);

const known = new WeakMap<MeshResources, readonly GatewayProxy[]>();

/** Every proxy that some Gateway asks for, sorted by id. Gateways that ask for what cannot be served leave it out. */
export function gatewayProxies(resources: MeshResources, rootNamespace: string): readonly GatewayProxy[] {
  let proxies = known.get(resources);
  if (proxies === undefined) {
    proxies = findProxies(resources, rootNamespace);
    known.set(resources, proxies);
  }
  return proxies;
}

type Place = Omit<GatewayProxy, keyof MergedServers>;

function findProxies(resources: MeshResources, rootNamespace: string): readonly GatewayProxy[] {
  const gateways = resources.kept.filter(isIstioGateway);
  const places = new Map<string, Place>();
  const add = (name: string, namespace: string, labels: Readonly<Record<string, string>>) => {
    const id = `gateway:${namespace}/${name}`;
    if (!places.has(id)) places.set(id, { id, name, namespace, labels });
  };
  const selectorsOf = ({ spec }: (typeof gateways)[number]) => spec.selector ?? {};
  const bySize = [...gateways].sort((a, b) => Object.keys(selectorsOf(b)).length - Object.keys(selectorsOf(a)).length);
  for (const gateway of bySize) {
    const selector = selectorsOf(gateway);
    const isMet = [...places.values()].some(({ labels }) => matchesLabels(selector, labels));
    if (isMet) continue;
    if (matchesLabels(selector, ingress)) add(ingress.app, rootNamespace, withAccount(ingress));
    else if (matchesLabels(selector, egress)) add(egress.app, rootNamespace, withAccount(egress));
    else add(nameOf(selector), namespaceOf(gateway), selector);
  }
  const served = gateways.flatMap((gateway) => {
    const serves = ({ labels }: Place) => matchesLabels(selectorsOf(gateway), labels);
    const name = `${namespaceOf(gateway)}/${gateway.metadata.name}`;
    return (gateway.spec.servers ?? [])
      .flatMap((server) => fromServer(server, name, namespaceOf(gateway)) ?? [])
      .map((server) => ({ serves, server }));
  });
  for (const gateway of k8sGateways(resources)) {
    const own = placeOfK8s(gateway, rootNamespace);
    if (own === null) continue;
    if (!places.has(own.id)) places.set(own.id, own);
    const serves = ({ id }: Place) => id === own.id;
    served.push(
      ...gateway.spec.listeners
        .flatMap((listener) => fromListener(listener, gateway, resources) ?? [])
        .map((server) => ({ serves, server })),
    );
  }
  return [...places.values()]
    .sort((a, b) => compareText(a.id, b.id))
    .map((place) => ({
      ...place,
      ...mergeServers(
        served
          .filter(({ serves }) => serves(place))
          .map(({ server }) => server)
          .sort((a, b) => a.port - b.port),
      ),
    }));
}

/** As in an installation by istioctl: the account has a name of its own. */
function withAccount(labels: { readonly app: string; readonly istio: string }): Readonly<Record<string, string>> {
  return { ...labels, [serviceAccountLabel]: `${labels.app}-service-account` };
}

/** The name that a release with these labels usually has. */
function nameOf(selector: Readonly<Record<string, string>>): string {
  const { app, istio } = selector;
  if (app !== undefined) return app;
  return istio === undefined ? (Object.values(selector).sort(compareText)[0] ?? 'gateway') : `istio-${istio}`;
}

/** Gateways of the Gateway API that are an entrance. */
export function k8sGateways(resources: MeshResources): readonly K8sGateway[] {
  return ofKind(resources.kept, 'Gateway').filter(
    (resource): resource is K8sGateway =>
      !isIstioGateway(resource) && !otherClasses.has(resource.spec.gatewayClassName),
  );
}

/** One for itself, `name-class`, as Istio deploys it; with a host name as address, the gateway that is there already. */
function placeOfK8s({ metadata, spec }: K8sGateway, rootNamespace: string): Place | null {
  const namespace = namespaceOf({ metadata });
  const given = spec.addresses?.find(({ type }) => type === 'Hostname')?.value;
  if (given !== undefined) {
    const [name = '', where = namespace] = given.split('.');
    const wellKnown = [ingress, egress].find(({ app }) => app === name);
    const labels = wellKnown === undefined ? { app: name } : withAccount(wellKnown);
    return { id: `gateway:${where}/${name}`, name, namespace: where || rootNamespace, labels };
  }
  const name = `${metadata.name}-${spec.gatewayClassName}`;
  const label = 'gateway.networking.k8s.io/gateway-name';
  return { id: `gateway:${namespace}/${name}`, name, namespace, labels: { [label]: metadata.name } };
}

/** `null` for what is not served here: UDP, and passthrough by names of the mesh (AUTO_PASSTHROUGH). */
function fromServer(server: GatewayServer, gateway: string, namespace: string): ProxyServer | null {
  const { port, tls, hosts } = server;
  const protocol = toIstioProtocol(port.protocol);
  if (protocol === null || protocol === 'UDP' || port.number === 0 || tls?.mode === 'AUTO_PASSTHROUGH') return null;
  const isHttp = isHttpProtocol(protocol);
  const isTls = protocol === 'HTTPS' || protocol === 'TLS';
  const compiled = isTls ? compileServerTls(tls ?? {}, namespace) : null;
  const inside = isHttp || (protocol === 'HTTPS' && compiled?.mode !== 'passthrough') ? 'http' : 'tcp';
  return {
    gateway,
    api: 'istio',
    id: `${gateway}/${port.name}`,
    port: port.number,
    protocol: inside,
    tls: compiled,
    hasTlsBlock: tls !== undefined,
    httpsRedirect: isHttp && tls?.httpsRedirect === true,
    hosts: hosts.map((host) => splitHost(host, namespace)),
    listener: null,
    namespaceLabels: noLabels,
  };
}

/** `namespace/host`; `.` is the Gateway's own. */
function splitHost(text: string, own: string): { namespace: string; host: string } {
  const slash = text.indexOf('/');
  const namespace = slash === -1 ? '*' : text.slice(0, slash);
  return { namespace: namespace === '.' ? own : namespace, host: text.slice(slash + 1).toLowerCase() };
}

const noLabels: ProxyServer['namespaceLabels'] = new Map();
const labelled = new WeakMap<MeshResources, ProxyServer['namespaceLabels']>();

function labelsOfNamespaces(resources: MeshResources): ProxyServer['namespaceLabels'] {
  let labels = labelled.get(resources);
  if (labels === undefined) {
    const namespaces = ofKind(resources.kept, 'Namespace');
    labels = new Map(namespaces.map(({ metadata }) => [metadata.name, metadata.labels ?? {}]));
    labelled.set(resources, labels);
  }
  return labels;
}

function fromListener(listener: GatewayListener, gateway: K8sGateway, resources: MeshResources): ProxyServer | null {
  const { protocol, hostname, port } = listener;
  if (!['HTTP', 'HTTPS', 'TLS', 'TCP'].includes(protocol)) return null;
  const namespace = namespaceOf(gateway);
  const name = `${namespace}/${gateway.metadata.name}`;
  const secured = compileListenerTls(listener, gateway, ofKind(resources.kept, 'ReferenceGrant'));
  return {
    gateway: name,
    api: 'gateway-api',
    id: `${name}/${listener.name}`,
    port,
    protocol: protocol === 'HTTP' || protocol === 'HTTPS' ? 'http' : 'tcp',
    tls: secured,
    hasTlsBlock: secured !== null,
    httpsRedirect: false,
    hosts: [{ namespace: '*', host: (hostname ?? '*').toLowerCase() }],
    listener,
    namespaceLabels: labelsOfNamespaces(resources),
  };
}

/** What each of a proxy's ports speaks, as others see it. */
export function portsOf({ servers }: GatewayProxy): readonly { port: number; protocol: PortProtocol }[] {
  const ports = new Map<number, PortProtocol>();
  for (const { port, protocol, tls } of servers) {
    if (!ports.has(port)) ports.set(port, tls === null ? protocol : 'tls');
  }
  return [...ports].map(([port, protocol]) => ({ port, protocol }));
}

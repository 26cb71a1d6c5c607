/** The rules of VirtualServices as one gateway gets them. Source: istio pilot, gateway.go and route.go (sourceMatchHTTP). */

import { namespaceOf } from '../../model/resource.ts';
import type { HttpRule, VirtualService } from '../../model/virtual-service.ts';
import { matchesLabels } from '../workload-identity.ts';
import type { GatewayProxy } from './gateway-proxies.ts';
import type { ProxyServer } from './proxy-server.ts';

interface Selector {
  readonly gateways?: readonly string[] | undefined;
  readonly sourceNamespace?: string | undefined;
  readonly sourceLabels?: Readonly<Record<string, string>> | undefined;
}

/** `name`, `./name`, `namespace/name`, or the old `name.namespace.svc.cluster.local`, as `namespace/name`. */
export function fullGatewayName(name: string, namespace: string): string {
  if (name.startsWith('./')) return `${namespace}/${name.slice(2)}`;
  if (name.includes('/')) return name;
  const [first = '', second] = name.split('.');
  return second === undefined ? `${namespace}/${name}` : `${second}/${first}`;
}

function isExportedTo(targets: readonly string[] = ['*'], own: string, namespace: string): boolean {
  return targets.some((target) => target === '*' || (target === '.' ? own : target) === namespace);
}

/** Whether a VirtualService is for this Gateway, and may be seen where its proxy is. */
export function isBoundToGateway(resource: VirtualService, gateway: string, proxy: GatewayProxy): boolean {
  const namespace = namespaceOf(resource);
  const named = (resource.spec.gateways ?? []).map((name) => fullGatewayName(name, namespace));
  return named.includes(gateway) && isExportedTo(resource.spec.exportTo, namespace, proxy.namespace);
}

/** Its hosts as far as a server has them, the more specific of the two each. */
export function hostsAt(server: ProxyServer, resource: VirtualService, intersect: Intersect): readonly string[] {
  const namespace = namespaceOf(resource);
  const offered = server.hosts.filter((own) => own.namespace === '*' || own.namespace === namespace);
  const asked = (resource.spec.hosts ?? []).map((host) => host.toLowerCase());
  return [...new Set(asked.flatMap((host) => offered.flatMap((own) => intersect(own.host, host) ?? [])))];
}

type Intersect = (a: string, b: string) => string | null;

/** HTTP rules of a VirtualService (with its delegates) that are for this Gateway, with nothing left that selects proxies. */
export function httpRulesFor(
  rules: readonly HttpRule[],
  gateway: string,
  namespace: string,
  proxy: GatewayProxy,
): readonly HttpRule[] {
  return rules.flatMap((rule) => {
    const match = rule.match ?? [];
    const left = match.filter((block) => isForGateway(block, gateway, namespace, proxy));
    if (match.length > 0 && left.length === 0) return [];
    return [{ ...rule, match: left.map(withoutSelector) }];
  });
}

/** The same of its `tls` and `tcp` rules. */
export function l4RulesFor(resource: VirtualService, gateway: string, proxy: GatewayProxy): VirtualService {
  const namespace = namespaceOf(resource);
  const keep = <T extends Selector>(blocks: readonly T[]) =>
    blocks.filter((block) => isForGateway(block, gateway, namespace, proxy)).map(withoutSelector);
  const { tls = [], tcp = [], gateways: _gateways, ...spec } = resource.spec;
  return {
    ...resource,
    spec: {
      ...spec,
      tls: tls.flatMap((rule) => {
        const match = keep(rule.match);
        return match.length === 0 ? [] : [{ ...rule, match }];
      }),
      tcp: tcp.flatMap((rule) => {
        const match = keep(rule.match ?? []);
        return (rule.match ?? []).length > 0 && match.length === 0 ? [] : [{ ...rule, match }];
      }),
    },
  };
}

/** A block that names gateways asks for nothing else of the proxy. */
function isForGateway(block: Selector, gateway: string, namespace: string, proxy: GatewayProxy): boolean {
  const { gateways = [], sourceNamespace, sourceLabels } = block;
  if (gateways.length > 0) return gateways.some((name) => fullGatewayName(name, namespace) === gateway);
  return matchesLabels(sourceLabels, proxy.labels) && (!sourceNamespace || sourceNamespace === proxy.namespace);
}

function withoutSelector<T extends Selector>(block: T): T {
  const { gateways: _gateways, sourceNamespace: _namespace, sourceLabels: _labels, ...rest } = block;
  return rest as T;
}

/** How a host in a rule becomes a service: short names are of the rule's namespace, full names are Kubernetes'. */
const clusterDomain = 'cluster.local';

const serviceSuffix = /\.svc(?:\.cluster\.local)?$/;

export interface ResolvedHost {
  /** Service key, whether there is such a service or not. */
  readonly key: string;
  readonly known: boolean;
  /** True for `payments.shop`: resolved here for convenience, while Istio takes a name with a dot as it is. */
  readonly partial: boolean;
}

/** `payments.shop.svc.cluster.local` */
export function toFqdn(service: { readonly name: string; readonly namespace: string }): string {
  return `${service.name}.${service.namespace}.svc.${clusterDomain}`;
}

/** All names of a service below its namespace, longest last. */
export function qualifiedNames(service: { readonly name: string; readonly namespace: string }): readonly string[] {
  const name = `${service.name}.${service.namespace}`.toLowerCase();
  return [name, `${name}.svc`, `${name}.svc.${clusterDomain}`];
}

/** Service that a rule's host means; the rule stands in `namespace`. Source: Istio Destination.host. */
export function resolveHost(host: string, namespace: string, services: ReadonlyMap<string, unknown>): ResolvedHost {
  const bare = host.replace(serviceSuffix, '');
  if (bare === host) {
    const short = `${host}.${namespace}`;
    if (services.has(short) || !host.includes('.')) return { key: short, known: services.has(short), partial: false };
  }
  return {
    key: bare,
    known: services.has(bare),
    partial: !host.endsWith(`.svc.${clusterDomain}`) && services.has(bare),
  };
}

/**
 * How well a rule's host fits a service: -1 not at all, else the longer the better; an exact name beats any wildcard.
 * `*` and `*.shop.svc.cluster.local` are wildcards.
 */
export function hostFit(
  host: string,
  ruleNamespace: string,
  service: { readonly key: string; readonly name: string; readonly namespace: string },
  services: ReadonlyMap<string, unknown>,
): number {
  if (host === '*') return 0;
  if (host.startsWith('*.')) return toFqdn(service).endsWith(host.slice(1)) ? host.length : -1;
  return resolveHost(host, ruleNamespace, services).key === service.key ? Number.MAX_SAFE_INTEGER : -1;
}

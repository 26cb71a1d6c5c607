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

/** `payments.shop.svc.cluster.local`; of a ServiceEntry its host. */
export function toFqdn(service: NamedService): string {
  return service.host ?? `${service.name}.${service.namespace}.svc.${clusterDomain}`;
}

export interface NamedService {
  readonly name: string;
  readonly namespace: string;
  /** Of a ServiceEntry. */
  readonly host?: string;
}

/** A host as the key of a service: without what Kubernetes puts behind `name.namespace`. */
export function toHostKey(host: string): string {
  return host.replace(serviceSuffix, '');
}

/** All names of a service below its namespace, longest last. @param key `name.namespace` */
export function qualifiedNames(key: string): readonly string[] {
  const name = key.toLowerCase();
  return [name, `${name}.svc`, `${name}.svc.${clusterDomain}`];
}

/** Service that a rule's host means; the rule stands in `namespace`. Source: Istio Destination.host. */
export function resolveHost(host: string, namespace: string, services: ReadonlyMap<string, unknown>): ResolvedHost {
  const bare = toHostKey(host);
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
  service: NamedService & { readonly key: string },
  services: ReadonlyMap<string, unknown>,
): number {
  if (host === '*') return 0;
  if (host.startsWith('*.')) return toFqdn(service).endsWith(host.slice(1)) ? host.length : -1;
  return resolveHost(host, ruleNamespace, services).key === service.key ? Number.MAX_SAFE_INTEGER : -1;
}

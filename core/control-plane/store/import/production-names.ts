/** Names of production, in one form: services as `payments.prod.svc.cluster.local`, names outside as they are. */

import type { MappedName, NameMapping } from '../../../contract/import-shapes.ts';
import { nearestWord } from '../../../model/did-you-mean.ts';
import { compareText } from '../../../model/resource.ts';
import { type NameReference, nameReferences } from './name-references.ts';
import type { Manifest } from './read-manifests.ts';

export interface LocalService {
  readonly key: string;
  readonly name: string;
  readonly namespace: string;
  readonly ports?: readonly number[];
}

/** What a Kubernetes Service of production says besides its name. */
export interface ServiceHint {
  /** Values of the labels that it selects by. */
  readonly names: readonly string[];
  /** Of its containers. */
  readonly ports: readonly number[];
}

const noHint: ServiceHint = { names: [], ports: [] };

const clusterSuffix = /\.svc(?:\.cluster\.local)?$/;
/** Istio's own namespace holds what is for the whole mesh; it is called so here too. */
const rootNamespaces: ReadonlySet<string> = new Set(['istio-system']);

export const toFqdn = (name: string, namespace: string): string => `${name}.${namespace}.svc.cluster.local`;

/** Name and namespace of a service's full name; `null` for a name outside. */
export function splitFqdn(host: string): { readonly name: string; readonly namespace: string } | null {
  if (!host.endsWith('.svc.cluster.local')) return null;
  const [name, namespace, ...more] = host.replace(clusterSuffix, '').split('.');
  return name === undefined || namespace === undefined || more.length > 0 ? null : { name, namespace };
}

/** A host as a resource of `namespace` writes it, in the one form; `null` for wildcards and for addresses. */
export function canonicalHost(host: string, namespace: string, namespaces: ReadonlySet<string>): string | null {
  if (host === '' || host.includes('*') || /^[\d.]+$|:/.test(host)) return null;
  const lower = host.toLowerCase();
  const bare = lower.replace(clusterSuffix, '');
  const [name = '', own, ...more] = bare.split('.');
  if (own === undefined) return toFqdn(name, namespace);
  const isService = more.length === 0 && (bare !== lower || namespaces.has(own));
  return isService ? toFqdn(name, own) : lower;
}

export interface NamedManifest {
  readonly manifest: Manifest;
  readonly references: readonly NameReference[];
}

export const withReferences = (manifest: Manifest): NamedManifest => ({
  manifest,
  references: nameReferences(manifest.kind ?? '', manifest.document.toJS()),
});

/** Namespaces that the manifests speak of for sure: their own, and those in full names. */
export function namespacesIn(manifests: readonly NamedManifest[]): Set<string> {
  const found = new Set<string>();
  for (const { manifest, references } of manifests) {
    found.add(manifest.namespace);
    for (const { form, value } of references) {
      if (form === 'namespace' && typeof value === 'string' && !'.*~'.includes(value)) found.add(value);
      const service = typeof value === 'string' ? splitFqdn(value.split('/').at(-1) ?? '') : null;
      if (service !== null) found.add(service.namespace);
    }
  }
  return found;
}

function hostsIn(manifests: readonly NamedManifest[], namespaces: ReadonlySet<string>): Set<string> {
  const found = new Set<string>();
  const add = (host: string, namespace: string) => {
    const canonical = canonicalHost(host, namespace, namespaces);
    if (canonical !== null) found.add(canonical);
  };
  for (const { manifest, references } of manifests) {
    for (const { form, value } of references) {
      if (form === 'host') add(String(value), manifest.namespace);
      if (form === 'object') {
        const { kind, name, namespace } = value as { kind?: unknown; name?: unknown; namespace?: unknown };
        if ((kind ?? 'Service') === 'Service') add(String(name ?? ''), String(namespace ?? manifest.namespace));
      }
      if (form !== 'scoped-host') continue;
      const [scope = '', host = ''] = String(value).includes('/') ? String(value).split('/') : ['*', String(value)];
      if (/^[\w-]+$/.test(scope)) add(host, scope);
    }
  }
  return found;
}

/** What is left of a service's name without the words that people put around it. */
const stem = (name: string) => name.replace(/^(?:svc|service|app)-|-(?:svc|service|srv|app|api|server)$/g, '');

/** By name, then by the labels that production selects by, then by ports. */
function candidatesFor(
  name: string,
  services: readonly LocalService[],
  { names, ports }: ServiceHint,
): { sure: string | null; all: string[] } {
  const same = services.filter((service) => service.name === name);
  const alike = services.filter((service) => service.name !== name && stem(service.name) === stem(name));
  const near = nearestWord(
    name,
    services.map((service) => service.name),
  );
  const nearby = services.filter(
    (service) => service.name === near && !same.includes(service) && !alike.includes(service),
  );
  const labelled = services.filter((service) => names.includes(service.name));
  const listening = services.filter(
    (service) => ports.length > 0 && ports.every((port) => service.ports?.includes(port)),
  );
  const best = [same, alike, labelled].find((list) => list.length > 0) ?? [];
  return {
    sure: best.length === 1 ? (best[0]?.key ?? null) : null,
    all: [...new Set([...same, ...alike, ...labelled, ...nearby, ...listening])].map(({ key }) => key),
  };
}

/** `payments.shop.svc.cluster.local`, `payments.shop` or, when one namespace has it, `payments` as the one form. */
function canonicalChoice(from: string, hosts: ReadonlySet<string>): string {
  const lower = from.toLowerCase();
  const short = [...hosts].filter(
    (host) => host === lower || (host.startsWith(`${lower}.`) && splitFqdn(host) !== null),
  );
  if (hosts.has(lower)) return lower;
  const full = `${lower.replace(clusterSuffix, '')}.svc.cluster.local`;
  return hosts.has(full) ? full : ((short.length === 1 ? short[0] : undefined) ?? lower);
}

/** Every name in use and what it becomes: as it was chosen, else as it is proposed. Hosts first, each by name. */
export function mapNames(
  manifests: readonly NamedManifest[],
  services: readonly LocalService[],
  chosen: readonly NameMapping[],
  hints: ReadonlyMap<string, ServiceHint> = new Map(),
): MappedName[] {
  const namespaces = namespacesIn(manifests);
  const hosts = hostsIn(manifests, namespaces);
  const choices = new Map<string, string | null>();
  for (const { kind, from, to } of chosen)
    choices.set(kind === 'host' ? `host ${canonicalChoice(from, hosts)}` : `namespace ${from}`, to);
  const choose = (kind: NameMapping['kind'], from: string, proposed: string | null) => {
    const choice = choices.get(`${kind} ${from}`);
    return choice === undefined ? proposed : choice === from ? null : choice;
  };
  const mappedHosts = [...hosts].sort(compareText).map((from): MappedName => {
    const service = splitFqdn(from);
    const key = service === null ? null : `${service.name}.${service.namespace}`;
    const isHere = services.some((own) => own.key === key);
    const { sure, all } = candidatesFor(service?.name ?? from.split('.')[0] ?? '', services, hints.get(from) ?? noHint);
    const to = choose('host', from, isHere || service === null ? null : sure);
    const isKnown = to === null ? isHere : services.some((own) => own.key === localKey(to, services));
    return { kind: 'host', from, to: to === null ? null : localKey(to, services), isKnown, candidates: all };
  });
  const local = new Set(services.map(({ namespace }) => namespace));
  const mappedNamespaces = [...namespaces].sort(compareText).map((from): MappedName => {
    const isFixed = local.has(from) || rootNamespaces.has(from);
    const to = choose('namespace', from, isFixed ? null : mostCommonTarget(from, mappedHosts, local));
    const isKnown = to === null ? isFixed : local.has(to);
    return { kind: 'namespace', from, to, isKnown, candidates: [...local].sort(compareText) };
  });
  return [...mappedHosts, ...mappedNamespaces];
}

/** `payments.shop` of whatever form was chosen; a bare name is of the one namespace that has it. */
function localKey(name: string, services: readonly LocalService[]): string {
  const bare = name.replace(clusterSuffix, '');
  if (bare.includes('.')) return bare;
  const named = services.filter((service) => service.name === bare);
  return named.length === 1 ? (named[0]?.key ?? bare) : bare;
}

/** Where most of the services of a namespace went; without any, the only namespace that there is here. */
function mostCommonTarget(namespace: string, hosts: readonly MappedName[], local: ReadonlySet<string>): string | null {
  const counts = new Map<string, number>();
  for (const { from, to } of hosts) {
    const target = to?.split('.')[1];
    if (target !== undefined && splitFqdn(from)?.namespace === namespace)
      counts.set(target, (counts.get(target) ?? 0) + 1);
  }
  const [best] = [...counts].sort(([a, left], [b, right]) => right - left || compareText(a, b));
  if (best !== undefined) return best[0];
  const [only, ...others] = local;
  return only !== undefined && others.length === 0 ? only : null;
}

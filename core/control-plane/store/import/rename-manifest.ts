import type { Document } from 'yaml';
import type { MappedName } from '../../../contract/import-shapes.ts';
import type { NameReference } from './name-references.ts';
import { canonicalHost, type LocalService, type NamedManifest, splitFqdn, toFqdn } from './production-names.ts';
import { replaceValue } from './read-manifests.ts';

export interface NameTable {
  readonly hosts: ReadonlyMap<string, string | null>;
  readonly namespaces: ReadonlyMap<string, string | null>;
  /** Namespaces that names in two parts may mean. */
  readonly known: ReadonlySet<string>;
  readonly services: ReadonlySet<string>;
}

export function toNameTable(mapping: readonly MappedName[], services: readonly LocalService[]): NameTable {
  const table = (kind: MappedName['kind']) =>
    new Map(mapping.filter((one) => one.kind === kind).map(({ from, to }) => [from, to]));
  const namespaces = table('namespace');
  return {
    namespaces,
    hosts: table('host'),
    known: new Set(namespaces.keys()),
    services: new Set(services.map(({ key }) => key)),
  };
}

/** A manifest with the names of this machine; everything else as it is. */
export function renameManifest({ manifest, references }: NamedManifest, table: NameTable): Document {
  const from = manifest.namespace;
  const to = mapNamespace(from, table);
  let { document } = manifest;
  for (const reference of references) {
    for (const { path, value } of changesOf(reference, from, to, table)) document = replaceValue(document, path, value);
  }
  // What is in `default` without saying so has to say where it goes.
  if (to !== from && document.getIn(['metadata', 'namespace']) === undefined)
    document.setIn(['metadata', 'namespace'], to);
  return document;
}

type Change = { readonly path: NameReference['path']; readonly value: string };

const mapNamespace = (namespace: string, { namespaces }: NameTable): string => namespaces.get(namespace) ?? namespace;

function changesOf(reference: NameReference, from: string, to: string, table: NameTable): Change[] {
  const { form, path, value } = reference;
  if (form === 'object') return objectChanges(path, value as ObjectReference, from, to, table);
  const text = String(value);
  const renamed = {
    host: () => mapHost(text, from, to, table),
    'scoped-host': () => mapScopedHost(text, table),
    namespace: () => mapNamespace(text, table),
    'scoped-name': () => text.replace(/^([\w-]+)\//, (_, namespace: string) => `${mapNamespace(namespace, table)}/`),
    principal: () =>
      text.replace(/\/ns\/([^/]+)\//, (_, namespace: string) => `/ns/${mapNamespace(namespace, table)}/`),
  }[form]();
  return renamed === text ? [] : [{ path, value: renamed }];
}

/** In the form that it had: short names stay short where that still means the same service. */
function mapHost(host: string, from: string, to: string, table: NameTable): string {
  const wildcard = /^\*\.([\w-]+)(\.svc(?:\.cluster\.local)?)$/.exec(host);
  if (wildcard !== null) return `*.${mapNamespace(wildcard[1] ?? '', table)}${wildcard[2]}`;
  const canonical = canonicalHost(host, from, table.known);
  if (canonical === null) return host;
  const target = table.hosts.get(canonical) ?? null;
  const service = splitFqdn(canonical);
  const isShort = !host.includes('.');
  if (target === null) {
    const staysBehind = isShort && to !== from && service !== null && table.services.has(`${service.name}.${from}`);
    return staysBehind ? toFqdn(service.name, from) : host;
  }
  const [name = target, namespace = to] = target.split('.');
  return isShort && namespace === to ? name : toFqdn(name, namespace);
}

function mapScopedHost(text: string, table: NameTable): string {
  const slash = text.indexOf('/');
  const [scope, host] = slash < 0 ? [null, text] : [text.slice(0, slash), text.slice(slash + 1)];
  const isNamed = scope !== null && /^[\w-]+$/.test(scope);
  const renamed = mapHost(host, isNamed ? scope : '', isNamed ? mapNamespace(scope, table) : '', table);
  if (scope === null) return host.includes('.') ? renamed : text;
  const moved = splitFqdn(renamed)?.namespace;
  const namespace = isNamed ? (renamed !== host && moved !== undefined ? moved : mapNamespace(scope, table)) : scope;
  return `${namespace}/${renamed}`;
}

interface ObjectReference {
  readonly kind?: unknown;
  readonly name?: unknown;
  readonly namespace?: unknown;
}

function objectChanges(
  path: Change['path'],
  value: ObjectReference,
  from: string,
  to: string,
  table: NameTable,
): Change[] {
  const said = typeof value.namespace === 'string' ? value.namespace : null;
  const service = (value.kind ?? 'Service') === 'Service' && typeof value.name === 'string' ? value.name : null;
  const target = service === null ? null : (table.hosts.get(toFqdn(service.toLowerCase(), said ?? from)) ?? null);
  const [name, namespace] = target?.split('.') ?? [null, null];
  const wanted = namespace ?? mapNamespace(said ?? from, table);
  const changes: Change[] = [];
  if (name !== null && name !== undefined && name !== service) changes.push({ path: [...path, 'name'], value: name });
  if (wanted !== (said ?? to)) changes.push({ path: [...path, 'namespace'], value: wanted });
  return changes;
}

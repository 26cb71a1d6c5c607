/** Delegation of HTTP rules from one VirtualService to others. Source: istio pilot/pkg/model/virtualservice.go (one level deep). */
import { namespaceOf } from '../../model/resource.ts';
import type { HttpMatchRequest, HttpRule, VirtualService } from '../../model/virtual-service.ts';
import { isExportedTo } from '../visibility/exports.ts';

/** The VirtualService without hosts of this name; `undefined`: there is none. */
export type FindDelegate = (namespace: string, name: string) => VirtualService | undefined;

export function createDelegateFinder(all: readonly VirtualService[]): FindDelegate {
  let find = finders.get(all);
  if (find === undefined) {
    const delegates = new Map(
      all
        .filter(({ spec }) => (spec.hosts ?? []).length === 0)
        .map((resource) => [`${namespaceOf(resource)}/${resource.metadata.name}`, resource]),
    );
    find = (namespace, name) => delegates.get(`${namespace}/${name}`);
    finders.set(all, find);
  }
  return find;
}

/** Made once per list. */
const finders = new WeakMap<readonly VirtualService[], FindDelegate>();

/** The rules of a VirtualService with those of its delegates in their place. One that is missing or not exported adds none. */
export function expandDelegates(root: VirtualService, find: FindDelegate): readonly HttpRule[] {
  const own = namespaceOf(root);
  return (root.spec.http ?? []).flatMap((rule) => {
    if (rule.delegate === undefined) return [rule];
    const delegate = find(rule.delegate.namespace || own, rule.delegate.name ?? '');
    if (delegate === undefined || !isExportedTo(delegate.spec.exportTo, namespaceOf(delegate), own)) return [];
    return (delegate.spec.http ?? []).flatMap((sub) => merge(rule, sub) ?? []);
  });
}

/** The delegate's own fields win, all others come from the root; `null` when their matches exclude each other. */
function merge(root: HttpRule, sub: HttpRule): HttpRule | null {
  const match = mergeMatches(root.match ?? [], sub.match ?? []);
  if (match === null) return null;
  const { delegate: _delegate, match: _match, name: _name, route: _route, redirect: _redirect, ...inherited } = root;
  const name = joinNames(root.name, sub.name);
  return {
    ...inherited,
    ...sub,
    ...(match.length === 0 ? {} : { match: [...match] }),
    ...(name === undefined ? {} : { name }),
  };
}

function joinNames(root: string | undefined, sub: string | undefined): string | undefined {
  return root && sub ? `${root}-${sub}` : sub || root;
}

/** Each block of the delegate with each of the root's that it fits; a block that fits none makes the whole rule void. */
function mergeMatches(
  root: readonly HttpMatchRequest[],
  sub: readonly HttpMatchRequest[],
): readonly HttpMatchRequest[] | null {
  if (root.length === 0 || sub.length === 0) return root.length === 0 ? sub : root;
  const merged: HttpMatchRequest[] = [];
  for (const block of sub) {
    const fitting = root.filter((outer) => !isConflict(outer, block));
    if (fitting.length === 0) return null;
    merged.push(...fitting.map((outer) => mergeBlock(outer, block)));
  }
  return merged;
}

function mergeBlock(root: HttpMatchRequest, sub: HttpMatchRequest): HttpMatchRequest {
  const name = joinNames(root.name, sub.name);
  const together = <K extends 'headers' | 'withoutHeaders' | 'queryParams' | 'sourceLabels'>(field: K) =>
    root[field] === undefined && sub[field] === undefined ? {} : { [field]: { ...root[field], ...sub[field] } };
  return {
    ...root,
    ...sub,
    ...together('headers'),
    ...together('withoutHeaders'),
    ...together('queryParams'),
    ...together('sourceLabels'),
    ...(name === undefined ? {} : { name }),
  };
}

function isConflict(root: HttpMatchRequest, sub: HttpMatchRequest): boolean {
  const values = (['uri', 'scheme', 'method', 'authority'] as const).some((field) => excludes(root[field], sub[field]));
  const groups = (['headers', 'withoutHeaders', 'queryParams'] as const).some((field) =>
    Object.entries(sub[field] ?? {}).some(([key, value]) => excludes(root[field]?.[key], value)),
  );
  const labels = Object.entries(sub.sourceLabels ?? {}).some(
    ([key, value]) => (root.sourceLabels?.[key] ?? value) !== value,
  );
  const gateways =
    (root.gateways?.length ?? 0) > 0 && (sub.gateways ?? []).some((gateway) => !root.gateways?.includes(gateway));
  return (
    values ||
    groups ||
    labels ||
    gateways ||
    (root.ignoreUriCase ?? false) !== (sub.ignoreUriCase ?? false) ||
    Boolean(root.port && sub.port && root.port !== sub.port) ||
    Boolean(root.sourceNamespace && sub.sourceNamespace !== root.sourceNamespace)
  );
}

/** Whether what the delegate asks for is not within what the root asks for. Expressions are never within each other. */
function excludes(root: object | undefined, sub: object | undefined): boolean {
  if (root === undefined || sub === undefined) return false;
  if ('regex' in root || 'regex' in sub) return true;
  const inner = 'exact' in sub ? sub.exact : 'prefix' in sub ? sub.prefix : null;
  if ('exact' in root) return 'prefix' in sub || inner !== root.exact;
  return !(
    'prefix' in root &&
    typeof root.prefix === 'string' &&
    typeof inner === 'string' &&
    inner.startsWith(root.prefix)
  );
}

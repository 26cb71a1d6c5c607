import { namespaceOf } from '../../model/resource.ts';
import type { ResourceMetadata } from '../../model/resource-metadata.ts';
import { resolveHost } from '../host-names.ts';

interface Rule {
  readonly metadata: ResourceMetadata;
}

type Index<T> = (serviceKey: string) => readonly T[];

const indexes = new WeakMap<object, { readonly services: object; readonly index: Index<Rule> }>();

/**
 * The rules that may be for a service, in their order: those that name it and those with wildcards. Made once per list of
 * rules and services, so that a thousand services do not each look at a thousand rules.
 */
export function rulesFor<T extends Rule>(
  rules: readonly T[],
  hostsOf: (rule: T) => readonly string[],
  services: ReadonlyMap<string, unknown>,
): Index<T> {
  const known = indexes.get(rules);
  if (known?.services === services) return known.index as Index<T>;
  const index = createIndex(rules, hostsOf, services);
  indexes.set(rules, { services, index: index as Index<Rule> });
  return index;
}

function createIndex<T extends Rule>(
  rules: readonly T[],
  hostsOf: (rule: T) => readonly string[],
  services: ReadonlyMap<string, unknown>,
): Index<T> {
  const named = new Map<string, number[]>();
  const wide: number[] = [];
  for (const [position, rule] of rules.entries()) {
    const hosts = hostsOf(rule);
    if (hosts.some((host) => host.startsWith('*'))) {
      wide.push(position);
      continue;
    }
    for (const key of new Set(hosts.map((host) => resolveHost(host, namespaceOf(rule), services).key))) {
      const list = named.get(key);
      if (list === undefined) named.set(key, [position]);
      else list.push(position);
    }
  }
  return (serviceKey) =>
    [...(named.get(serviceKey) ?? []), ...wide].sort((a, b) => a - b).flatMap((position) => rules[position] ?? []);
}

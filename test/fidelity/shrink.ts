import type { Case } from './generate/generate.ts';
import type { Ask } from './scenario.ts';

/** Fields without which a resource is none, or the endpoint is drawn at random. */
const kept = new Set([
  ...['apiVersion', 'kind', 'metadata', 'spec', 'hosts', 'host', 'http'],
  ...['route', 'destination', 'subset', 'subsets', 'labels', 'version', 'delegate'],
]);

/** Every case that is one step smaller: an item or a field less in the resources or in its only request. */
export function smaller(one: Case): readonly Case[] {
  const [ask] = one.asks;
  return [
    ...without(one.resources).map((resources) => ({ ...one, resources: resources as Case['resources'] })),
    ...(ask === undefined ? [] : simplerAsks(ask)).map((simpler) => ({ ...one, asks: [simpler] })),
  ];
}

/** Roughly how much there is of it. */
export function sizeOf({ resources, asks }: Case): number {
  return JSON.stringify([resources, asks]).length;
}

function without(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) {
    return value.flatMap((item, index) => [
      ...(value.length > 1 && !isNeeded(item) ? [value.toSpliced(index, 1)] : []),
      ...without(item).map((less) => value.with(index, less)),
    ]);
  }
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, item]) => {
    const { [name]: _gone, ...rest } = value as Record<string, unknown>;
    if (name === 'metadata' || name === 'delegate') return [];
    // Which of several destinations is drawn must not be seen: they stay alike.
    if (name === 'route' && Array.isArray(item) && item.length > 1) {
      return item.map((_, index) => ({ ...value, route: item.toSpliced(index, 1) }));
    }
    return [...(kept.has(name) ? [] : [rest]), ...without(item).map((less) => ({ ...value, [name]: less }))];
  });
}

/** Without it, any endpoint may be drawn. */
function isNeeded(item: unknown): boolean {
  const { kind, spec } = (item ?? {}) as { readonly kind?: string; readonly spec?: { readonly hosts?: unknown } };
  return kind === 'DestinationRule' || (kind === 'VirtualService' && spec?.hosts !== undefined);
}

function simplerAsks(ask: Ask): readonly Ask[] {
  const { headers = {}, path = '/', body: _body, order: _order, authority: _authority, ...rest } = ask;
  const query = path.indexOf('?');
  return [
    ...Object.keys(headers).map((name) => {
      const { [name]: _gone, ...others } = headers;
      return { ...ask, headers: others };
    }),
    ...(query === -1 ? [] : [{ ...ask, path: path.slice(0, query) }]),
    ...(ask.method === 'GET' ? [] : [{ ...rest, path, headers, method: 'GET' }]),
    ...(ask.order === undefined ? [] : [omit(ask, 'order')]),
    ...(ask.authority === undefined ? [] : [omit(ask, 'authority')]),
  ];
}

function omit(ask: Ask, field: 'order' | 'authority'): Ask {
  const { [field]: _gone, ...rest } = ask;
  return rest;
}

import { parseDuration } from '../../model/duration.ts';
import type { MeshSettings } from '../../model/mesh-settings.ts';
import type { HttpRoute } from '../../model/sidecar-config.ts';
import type { RateLimitConfig } from '../../model/traffic-config.ts';

type Settings = Pick<MeshSettings['spec'], 'rateLimits'>;
type Entry = NonNullable<Settings['rateLimits']>[number];
interface Named {
  readonly key: string;
  readonly name: string;
}

/** Limits of a service that name no route: its own sidecars hold them. */
export function inboundRateLimits(settings: Settings, service: Named): RateLimitConfig[] {
  return limitsOf(settings, service, undefined);
}

/** Routes of a service with the limits that name them, which the callers' sidecars hold. The same list without any. */
export function withRateLimits(settings: Settings, service: Named, routes: readonly HttpRoute[]): readonly HttpRoute[] {
  const { rateLimits = [] } = settings;
  if (!rateLimits.some((entry) => entry.route !== undefined && isFor(entry, service))) return routes;
  return routes.map((route) => {
    const limits = limitsOf(settings, service, route.name);
    return limits.length === 0 ? route : { ...route, rateLimits: limits };
  });
}

function isFor(entry: Entry, { key, name }: Named): boolean {
  return entry.service === key || entry.service === name;
}

function limitsOf({ rateLimits = [] }: Settings, service: Named, route: string | undefined): RateLimitConfig[] {
  return rateLimits
    .map((entry, index) => ({ entry, index }))
    .filter(({ entry }) => entry.route === route && isFor(entry, service))
    .map(({ entry, index }) => {
      const { per = 'workload', requests, burst = requests, header } = entry;
      return {
        id: [service.key, ...(route === undefined ? [] : [route]), String(index + 1)].join('-'),
        requests,
        intervalMs: parseDuration(entry.interval) ?? 1_000,
        burst,
        per,
        ...(header === undefined ? {} : { header: header.toLowerCase() }),
      };
    });
}

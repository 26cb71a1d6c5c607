import { compareText } from './resource.ts';
import type { ServiceConfig, SidecarConfig } from './sidecar-config.ts';

/**
 * A configuration as the difference to the one before: everything but the services in full (it is small), of the services
 * only what is new or different. In a large mesh most changes touch one service of hundreds.
 */
export interface ConfigChange {
  /** Revision that this is a change of. */
  readonly base: number;
  /** The next configuration; `services` has only those that are new or different. */
  readonly config: SidecarConfig;
  /** Keys of services that are gone. */
  readonly removed: readonly string[];
}

/** A change is sent when it spares at least this share of the services. */
const worthShare = 0.5;

/** Texts made once per service: configurations of many sidecars share their services. */
const texts = new WeakMap<ServiceConfig, string>();

type Services = SidecarConfig['services'];
interface ServicesChange {
  readonly services: Services;
  readonly removed: readonly string[];
}

/** What leads from one list of services to the next, made once: sidecars of a group have the same two lists. */
const changes = new WeakMap<Services, { readonly next: Services; readonly change: ServicesChange }>();

/** The change that leads from `base` to `next`; `null` when sending all of `next` is as good. */
export function toConfigChange(base: SidecarConfig, next: SidecarConfig): ConfigChange | null {
  const known = changes.get(base.services);
  const change = known?.next === next.services ? known.change : toServicesChange(base.services, next.services);
  if (change !== known?.change) changes.set(base.services, { next: next.services, change });
  const { services, removed } = change;
  if (services.length > next.services.length * worthShare) return null;
  return { base: base.revision, config: { ...next, services }, removed };
}

function toServicesChange(base: Services, next: Services): ServicesChange {
  const before = new Map(base.map((service) => [service.key, service]));
  const services = next.filter((service) => {
    const known = before.get(service.key);
    before.delete(service.key);
    return known === undefined || !isSame(known, service);
  });
  return { services, removed: [...before.keys()] };
}

/** The whole configuration that a change makes of `base`. Services are in order of their keys; unchanged ones stay the same objects. */
export function applyConfigChange(base: SidecarConfig, change: ConfigChange): SidecarConfig {
  const services = new Map(base.services.map((service) => [service.key, service]));
  for (const key of change.removed) services.delete(key);
  for (const service of change.config.services) services.set(service.key, service);
  const sorted = [...services.values()].sort((a, b) => compareText(a.key, b.key));
  return { ...change.config, services: sorted };
}

function isSame(a: ServiceConfig, b: ServiceConfig): boolean {
  return a === b || textOf(a) === textOf(b);
}

function textOf(service: ServiceConfig): string {
  let text = texts.get(service);
  if (text === undefined) {
    text = JSON.stringify(service);
    texts.set(service, text);
  }
  return text;
}

import { compareText } from './resource.ts';
import type { ServiceConfig, SidecarConfig } from './sidecar-config.ts';

/**
 * A configuration as the difference to the one before: everything but the lists that grow with the mesh in full (it is
 * small), of the services only what is new or different, callers only when they changed. In a large mesh most changes touch
 * one service of hundreds.
 */
export interface ConfigChange {
  /** Revision that this is a change of. */
  readonly base: number;
  /**
   * The next configuration; `services` has only those that are new or different, and `inbound` no `attachedCallers` when
   * they are as before (`[]`: there are none any more).
   */
  readonly config: SidecarConfig;
  /** Keys of services that are gone. */
  readonly removed: readonly string[];
}

/** A change is sent when it spares at least this share of the services. */
const worthShare = 0.5;

/** Texts made once per service and per list of callers: configurations of many sidecars share them. */
const texts = new WeakMap<ServiceConfig | readonly string[], string>();

type Services = SidecarConfig['services'];
type Inbound = SidecarConfig['inbound'];
const noCallers: string[] = [];
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
  const inbound = toInboundChange(base.inbound, next.inbound);
  return { base: base.revision, config: { ...next, inbound, services }, removed };
}

function toInboundChange(base: Inbound, next: Inbound): Inbound {
  const { attachedCallers = noCallers, ...inbound } = next;
  return isSame(base.attachedCallers ?? noCallers, attachedCallers) ? inbound : { ...inbound, attachedCallers };
}

function applyInboundChange(base: Inbound, { attachedCallers: changed, ...inbound }: Inbound): Inbound {
  const attachedCallers = changed ?? base.attachedCallers ?? noCallers;
  return attachedCallers.length === 0 ? inbound : { ...inbound, attachedCallers };
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
  const inbound = applyInboundChange(base.inbound, change.config.inbound);
  return { ...change.config, inbound, services: sorted };
}

function isSame<T extends ServiceConfig | readonly string[]>(a: T, b: T): boolean {
  return a === b || textOf(a) === textOf(b);
}

function textOf(part: ServiceConfig | readonly string[]): string {
  let text = texts.get(part);
  if (text === undefined) {
    text = JSON.stringify(part);
    texts.set(part, text);
  }
  return text;
}

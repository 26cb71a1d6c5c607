import type { InjectionAction, InjectionConfig } from '../../core/model/injection-config.ts';

/** A fault of everything that goes to a service, switched on now and until it is taken away. */
export function switchedOn(
  service: string,
  action: InjectionAction,
  changes: Partial<InjectionConfig> = {},
): InjectionConfig {
  return {
    id: action.kind,
    service,
    port: null,
    route: null,
    match: [],
    action,
    percent: 100,
    trigger: { kind: 'always' },
    schedule: null,
    seed: 1,
    sinceMs: Date.now(),
    expiresAtMs: null,
    ...changes,
  };
}

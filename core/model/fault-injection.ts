/**
 * FaultInjection (meshdesk.dev/v1alpha1): a fault on one edge of the mesh, which VirtualService cannot say without
 * rewriting the routes of its host. `fault` has Istio's own shape. Only the definition lives in a file; whether it is
 * switched on is a lease of the running control plane and is never written down.
 */
import { z } from 'zod';
import { formatDuration, PositiveDuration, parseDuration } from './duration.ts';
import { Kept, ResourceMetadata } from './resource-metadata.ts';
import type { FaultConfig } from './sidecar-config.ts';

const ServiceName = z.string().regex(/^[^\s.]+(\.\S+)?$/, 'must be a service as `name` or `name.namespace`');
const Percentage = z.strictObject({ value: z.number().min(0).max(100) });

export const FaultInjection = z.strictObject({
  apiVersion: z.literal('meshdesk.dev/v1alpha1'),
  kind: z.literal('FaultInjection'),
  /** `name` is the fault's id. */
  metadata: ResourceMetadata,
  spec: z.strictObject({
    /** Calling service; absent: every caller. */
    from: ServiceName.optional(),
    to: ServiceName,
    /** Name of a route of `to`; absent: every request. */
    route: z.string().min(1).optional(),
    fault: z.union(
      [
        z.strictObject({ delay: z.strictObject({ percentage: Percentage, fixedDelay: PositiveDuration }) }),
        z.strictObject({
          abort: z.strictObject({ percentage: Percentage, httpStatus: z.number().int().min(200).max(599) }),
        }),
      ],
      'give exactly one of delay {percentage, fixedDelay} and abort {percentage, httpStatus}',
    ),
    /** How long it stays once switched on; absent: until it is switched off. */
    duration: PositiveDuration.optional(),
    /** Same seed, same draws. */
    seed: z.number().int().optional(),
  }),
  status: Kept,
});
export type FaultInjection = z.infer<typeof FaultInjection>;

/** A fault as the control plane handles it. Services are keys (`name.namespace`). */
export interface FaultDefinition {
  readonly id: string;
  readonly from: string | null;
  readonly to: string;
  readonly route: string | null;
  readonly action: FaultConfig['action'];
  readonly percent: number;
  readonly durationMs: number | null;
  readonly seed: number;
}

/** The resource of a fault; `id` must be a Kubernetes name. It lives in the namespace of the service it acts on. */
export function toFaultInjection(fault: FaultDefinition): FaultInjection {
  const { action } = fault;
  const percentage = { value: fault.percent };
  const [, namespace] = splitKey(fault.to);
  return {
    apiVersion: 'meshdesk.dev/v1alpha1',
    kind: 'FaultInjection',
    metadata: { name: fault.id, ...(namespace === undefined ? {} : { namespace }) },
    spec: {
      ...(fault.from === null ? {} : { from: fault.from }),
      to: fault.to,
      ...(fault.route === null ? {} : { route: fault.route }),
      fault:
        action.kind === 'delay'
          ? { delay: { percentage, fixedDelay: formatDuration(action.delayMs) } }
          : { abort: { percentage, httpStatus: action.httpStatus } },
      ...(fault.durationMs === null ? {} : { duration: formatDuration(fault.durationMs) }),
      seed: fault.seed,
    },
  };
}

/** The fault of a resource. Short service names are of the resource's namespace; no seed: one made from the name. */
export function readFaultInjection(resource: FaultInjection): FaultDefinition {
  const { metadata, spec } = resource;
  const namespace = metadata.namespace ?? 'default';
  const toKey = (service: string) => (service.includes('.') ? service : `${service}.${namespace}`);
  const action: FaultConfig['action'] =
    'delay' in spec.fault
      ? { kind: 'delay', delayMs: Math.max(1, Math.round(parseDuration(spec.fault.delay.fixedDelay) ?? 1)) }
      : { kind: 'abort', httpStatus: spec.fault.abort.httpStatus };
  return {
    id: metadata.name,
    from: spec.from === undefined ? null : toKey(spec.from),
    to: toKey(spec.to),
    route: spec.route ?? null,
    action,
    percent: 'delay' in spec.fault ? spec.fault.delay.percentage.value : spec.fault.abort.percentage.value,
    durationMs: spec.duration === undefined ? null : parseDuration(spec.duration),
    seed: spec.seed ?? seedOf(metadata.name),
  };
}

/** A seed from a name (FNV-1a, 31 bits), so that a fault without one repeats its draws as well. */
export function seedOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < name.length; index += 1) {
    hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193);
  }
  return hash & 0x7fffffff;
}

function splitKey(key: string): [string, string | undefined] {
  const dot = key.indexOf('.');
  return dot === -1 ? [key, undefined] : [key.slice(0, dot), key.slice(dot + 1)];
}

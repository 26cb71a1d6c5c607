/**
 * FaultInjection (meshdesk.dev/v1alpha1): a fault on one edge of the mesh, which VirtualService cannot say without
 * rewriting the routes of its host. `fault` has Istio's own shape. Only the definition lives in a file; whether it is
 * switched on is a lease of the running control plane and is never written down.
 */
import { z } from 'zod';
import { PortNumber } from './api-fields.ts';
import { formatDuration, PositiveDuration, parseDuration } from './duration.ts';
import {
  DnsFault,
  FaultSchedule,
  FaultTrigger,
  HttpFaultKinds,
  IdentityFault,
  TcpFault,
  WorkloadFault,
} from './fault-kinds.ts';
import { Kept, ResourceMetadata } from './resource-metadata.ts';
import type { FaultConfig } from './sidecar-config.ts';
import { HttpMatchRequest } from './virtual-service.ts';

const ServiceName = z.string().regex(/^[^\s.]+(\.\S+)?$/, 'must be a service as `name` or `name.namespace`');

/** Exactly one kind; the others of one edge are FaultInjections of their own, and compose. */
const Fault = z
  .strictObject({
    delay: HttpFaultKinds.delay.optional(),
    abort: HttpFaultKinds.abort.optional(),
    responseBandwidth: HttpFaultKinds.responseBandwidth.optional(),
    headers: HttpFaultKinds.headers.optional(),
    body: HttpFaultKinds.body.optional(),
    truncate: HttpFaultKinds.truncate.optional(),
    tcp: TcpFault.optional(),
    dns: DnsFault.optional(),
    workload: WorkloadFault.optional(),
    identity: IdentityFault.optional(),
  })
  .refine((fault) => Object.keys(fault).length === 1, {
    error:
      'give exactly one of delay, abort, responseBandwidth, headers, body, truncate, tcp, dns, workload and identity',
  });

/** Of requests of HTTP and gRPC, and nothing below. */
export function isHttpFault(fault: z.infer<typeof Fault>): boolean {
  return [fault.tcp, fault.dns, fault.workload, fault.identity].every((kind) => kind === undefined);
}

export const FaultSpec = z
  .strictObject({
    /** Calling service; absent: every caller. */
    from: ServiceName.optional(),
    to: ServiceName,
    /** Port of `to`; absent: every port. */
    port: PortNumber.optional(),
    /** Name of a route of `to`; absent: every request. */
    route: z.string().min(1).optional(),
    /** Requests that it is for, beyond the route; blocks are ORed. */
    match: z.array(HttpMatchRequest).min(1).optional(),
    fault: Fault,
    trigger: FaultTrigger.optional(),
    schedule: FaultSchedule.optional(),
    /** How long it stays once switched on; absent: until it is switched off. */
    duration: PositiveDuration.optional(),
    /** Same seed, same draws. */
    seed: z.number().int().optional(),
  })
  .refine(({ fault, route, match }) => isHttpFault(fault) || (route === undefined && match === undefined), {
    error: 'route and match are for faults of HTTP requests (delay, abort, responseBandwidth, headers, body, truncate)',
  })
  .refine(({ fault, trigger }) => isHttpFault(fault) || trigger?.retriesOnly === undefined, {
    error: 'retriesOnly is for faults of HTTP requests: nothing else is tried again',
  })
  .refine(({ fault, from, port }) => !isOfTarget(fault) || (from === undefined && port === undefined), {
    error: 'from and port are for faults of traffic: a workload or identity fault is of `to` itself, whoever calls',
  })
  .refine(({ fault, trigger }) => fault.workload === undefined || !countsRequests(trigger), {
    error: 'first and every count requests and connections, which a workload fault has not',
  });

function isOfTarget(fault: z.infer<typeof Fault>): boolean {
  return fault.workload !== undefined || fault.identity !== undefined;
}

function countsRequests(trigger: z.infer<typeof FaultTrigger> | undefined): boolean {
  return trigger?.first !== undefined || trigger?.every !== undefined;
}

export const FaultInjection = z.strictObject({
  apiVersion: z.literal('meshdesk.dev/v1alpha1'),
  kind: z.literal('FaultInjection'),
  /** `name` is the fault's id. */
  metadata: ResourceMetadata,
  spec: FaultSpec,
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

/**
 * The fault of a resource; `null` for one that needs more than an edge, a route and a fixed delay or an HTTP status.
 * Short service names are of the resource's namespace; no seed: one made from the name.
 */
export function readFaultInjection(resource: FaultInjection): FaultDefinition | null {
  const { metadata, spec } = resource;
  const { delay, abort } = spec.fault;
  const narrowed =
    spec.port !== undefined || spec.match !== undefined || spec.trigger !== undefined || spec.schedule !== undefined;
  const fixedDelayMs = parseDuration(delay?.fixedDelay ?? '');
  const plainAbort = abort?.headers === undefined && abort?.body === undefined ? abort?.httpStatus : undefined;
  const percentage = fixedDelayMs === null ? abort?.percentage : delay?.percentage;
  if (narrowed || percentage === undefined || (fixedDelayMs === null && plainAbort === undefined)) return null;
  const toKey = (service: string) => toServiceKeyIn(service, metadata.namespace ?? 'default');
  return {
    id: metadata.name,
    from: spec.from === undefined ? null : toKey(spec.from),
    to: toKey(spec.to),
    route: spec.route ?? null,
    action:
      fixedDelayMs === null
        ? { kind: 'abort', httpStatus: plainAbort ?? 503 }
        : { kind: 'delay', delayMs: Math.max(1, Math.round(fixedDelayMs)) },
    percent: percentage.value,
    durationMs: spec.duration === undefined ? null : parseDuration(spec.duration),
    seed: spec.seed ?? seedOf(metadata.name),
  };
}

/** `name.namespace`; a name without one is of the given namespace. */
export function toServiceKeyIn(service: string, namespace: string): string {
  return service.includes('.') ? service : `${service}.${namespace}`;
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

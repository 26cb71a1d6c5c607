/** What routing decides: an answer of the mesh's own, or where a request goes; and the plan that decides it per request. */
import type { EdgeKey } from '../../model/telemetry-report.ts';
import type { ClusterPolicy } from '../../model/traffic-config.ts';
import type { RequestView } from '../../policy/request-view.ts';
import type { Random } from '../../shared/random.ts';
import type { HttpInjection } from '../faults/injection-set.ts';
import type { HttpEndpoint } from './compiled-service.ts';
import type { RateLimiter } from './rate-limiter.ts';
import type { RetryPlan } from './retry-plan.ts';
import type { RouteActions } from './route-actions.ts';

/** Answered by the mesh itself; `flag` is Envoy's response flag. */
export interface LocalAnswer {
  readonly kind: 'answer';
  readonly status: number;
  readonly flag: string;
  readonly body: string;
  /** Besides those that every answer has. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly edge: EdgeKey;
  readonly service: string | null;
  readonly route: string | null;
  /** What else the route does; absent: nothing. */
  readonly actions?: RouteActions | null;
  /** Headers that decided, for the record; absent: none. */
  readonly reads?: readonly string[];
}

/** Goes to one of `candidates`. */
export interface Forward {
  readonly kind: 'forward';
  readonly candidates: readonly HttpEndpoint[];
  /** The service that was asked for; `null` when it is none of the mesh's. */
  readonly service: string | null;
  readonly route: string | null;
  readonly timeoutMs: number | null;
  readonly faults: readonly HttpInjection[];
  /** How many requests may go there; absent: any number. */
  readonly limits?: readonly RateLimiter[] | undefined;
  /** Target and Host to write instead of the ones sent. */
  readonly target: string | null;
  readonly host: string | null;
  /** Edge of answers given before an endpoint is chosen. */
  readonly edge: EdgeKey;
  readonly retry: RetryPlan;
  /** What else the route does; `null`: nothing. */
  readonly actions: RouteActions | null;
  /** Headers that decided, for the record; absent: none. */
  readonly reads?: readonly string[] | undefined;
  /** The cluster that the candidates are; `null`: no traffic policy is set, least request decides. */
  readonly cluster: ClusterRef | null;
}

/** Names a cluster and its policy. */
export interface ClusterRef {
  readonly service: string;
  readonly subset: string | null;
  readonly port: number;
  readonly policy: ClusterPolicy;
}

export type Routing = LocalAnswer | Forward;

export interface RoutePlan {
  /** The decision when it is the same for every request; otherwise `choose` makes one. */
  readonly always: Routing | null;
  choose(request: RequestView, random: Random): Routing;
}

/** Target and Host to write instead of the ones sent; `null`: as they were. */
export type Rewrite = { readonly target: string | null; readonly host: string | null };

/**
 * A decision to forward, with all fields in one order whoever makes it: every request reads most of them, which is several
 * times faster where all of these objects have the same shape (one object spread into another has one of its own).
 */
export function forward(to: Omit<Forward, 'kind'>): Forward {
  return {
    kind: 'forward',
    candidates: to.candidates,
    service: to.service,
    route: to.route,
    timeoutMs: to.timeoutMs,
    faults: to.faults,
    limits: to.limits,
    target: to.target,
    host: to.host,
    edge: to.edge,
    retry: to.retry,
    actions: to.actions,
    reads: to.reads,
    cluster: to.cluster,
  };
}

/** A decision that is the same for every request. */
export function always(routing: Routing): RoutePlan {
  return { always: routing, choose: () => routing };
}

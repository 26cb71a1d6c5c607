import type { ExplainedDestination } from './explain-destination.ts';

/** What becomes of a request, as far as the sidecar alone decides. */
export type ExplainedOutcome =
  | { readonly kind: 'forward'; readonly destination: ExplainedDestination }
  /** Answered by the sidecar; `flag` is Envoy's response flag, '' for a route's own answer. */
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly flag: string;
      readonly why: string;
      readonly location: string | null;
    }
  /** TLS that is not opened here: the connection as a whole goes there, by server name and port. */
  | { readonly kind: 'connection'; readonly route: string | null; readonly destination: ExplainedDestination }
  /** No answer at all: the connection is closed. */
  | { readonly kind: 'closed'; readonly why: string }
  /** No service of the mesh: straight on, or refused. */
  | { readonly kind: 'outside'; readonly allowed: boolean };

export function answered(
  status: number,
  flag: string,
  why: string,
  location: string | null = null,
): Extract<ExplainedOutcome, { kind: 'answer' }> {
  return { kind: 'answer', status, flag, why, location };
}

export function noEndpoint(service: string, subset: string | null): ExplainedOutcome {
  const why =
    subset === null
      ? `${service} has no endpoint that this workload reaches`
      : `subset "${subset}" of ${service} has no endpoint`;
  return answered(503, 'UH', why);
}

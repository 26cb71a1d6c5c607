import type { RetryConfig } from '../../model/traffic-config.ts';
import { defaultRetries } from '../../policy/default-retries.ts';
import { type AttemptOutcome, isRetriable, parseRetryOn, type RetryConditions } from '../../policy/retry-conditions.ts';
import { effectiveTimeouts } from '../../policy/timeouts.ts';
import type { ResponseHead } from './codec.ts';
import { equalsIgnoringCase, toOctets } from './octets.ts';

/** When a request of a route is tried again. */
export interface RetryPlan {
  /** Beyond the first. */
  readonly attempts: number;
  readonly conditions: RetryConditions;
  readonly perTryTimeoutMs: number | null;
  readonly backoffBaseMs: number;
  readonly avoidPreviousHosts: boolean;
  /** Every second try goes to another priority, if it can. */
  readonly remoteLocalities: boolean;
  /** An answer of the upstream may be a reason: the heads of answers are looked at. */
  readonly looksAtAnswers: boolean;
}

const grpcStatusName = toOctets('grpc-status');

export function compileRetryPlan(config: RetryConfig, timeoutMs: number | null): RetryPlan {
  const conditions = parseRetryOn(config.retryOn);
  const { serverErrors, gatewayErrors, retriable4xx, statusCodes, grpcStatuses } = conditions;
  return {
    attempts: config.attempts,
    conditions,
    perTryTimeoutMs: effectiveTimeouts(timeoutMs, config.perTryTimeoutMs).perTryMs,
    backoffBaseMs: config.backoffBaseMs,
    avoidPreviousHosts: config.avoidPreviousHosts,
    remoteLocalities: config.remoteLocalities === true,
    looksAtAnswers:
      config.attempts > 0 &&
      (serverErrors || gatewayErrors || retriable4xx || statusCodes.size > 0 || grpcStatuses.size > 0),
  };
}

/** Istio's policy for what has no route of its own. */
export const defaultRetryPlan: RetryPlan = compileRetryPlan(defaultRetries, null);

/** Towards the application, and for mirrored requests: once. */
export const noRetries: RetryPlan = { ...defaultRetryPlan, attempts: 0, looksAtAnswers: false };

/** The head of an answer as an outcome. */
export function toAnswerOutcome(bytes: Buffer, head: ResponseHead, plan: RetryPlan): AttemptOutcome {
  const grpcStatus = plan.conditions.grpcStatuses.size === 0 ? null : readGrpcStatus(bytes, head);
  return { kind: 'answer', status: head.status, grpcStatus };
}

export function coversOutcome(plan: RetryPlan, outcome: AttemptOutcome): boolean {
  return plan.attempts > 0 && isRetriable(plan.conditions, outcome);
}

function readGrpcStatus(bytes: Buffer, head: ResponseHead): number | null {
  for (let index = 0; index < head.count; index += 1) {
    const start = head.nameStart[index] ?? 0;
    if ((head.nameEnd[index] ?? 0) - start !== grpcStatusName.length) continue;
    if (!equalsIgnoringCase(bytes, start, grpcStatusName)) continue;
    const status = Number(bytes.toString('latin1', head.valueStart[index], head.valueEnd[index]));
    return Number.isInteger(status) ? status : null;
  }
  return null;
}

import type { RetryConfig } from '../model/traffic-config.ts';
import { defaultRetryAttempts, defaultRetryOn } from './retry-conditions.ts';
import { defaultRetryBaseMs } from './retry-delay.ts';

/** Istio's policy for requests whose route says nothing about retries, or that have no route. */
export const defaultRetries: RetryConfig = {
  attempts: defaultRetryAttempts,
  retryOn: defaultRetryOn,
  perTryTimeoutMs: null,
  backoffBaseMs: defaultRetryBaseMs,
  avoidPreviousHosts: true,
};

import { checkPolicyTarget } from './check-selectors.ts';
import type { Problems } from './problems.ts';
import type { Telemetry } from './telemetry-policy.ts';

/** What a schema cannot say about Telemetry. Source: istio/pkg/config/validation, ValidateTelemetry. */
export function checkTelemetry({ spec = {} }: Telemetry, problems: Problems): void {
  checkPolicyTarget(spec, problems.at('spec'));
  if ((spec.tracing?.length ?? 0) > 1)
    problems.at('spec', 'tracing', 1).warn('is not used: only the first is', 'Merge them.');
}

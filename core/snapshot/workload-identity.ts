import { toSpiffeId } from '../model/identity.ts';
import { type DiscoveredWorkload, toServiceKey } from '../model/workload.ts';

/** Label that overrides the service account; without it each service has an account of its own name. */
export const serviceAccountLabel = 'dev.meshdesk.service-account';

export function serviceKeyOf(workload: DiscoveredWorkload): string {
  return toServiceKey(workload.service, workload.namespace);
}

/** SPIFFE ID that a workload's certificate carries and that its callers expect. */
export function spiffeIdOf(workload: DiscoveredWorkload, trustDomain: string): string {
  return toSpiffeId(trustDomain, workload.namespace, workload.labels[serviceAccountLabel] ?? workload.service);
}

/** Labels by which rules select a workload: its own, plus `app` (service) and `version` as in Kubernetes. */
export function labelsOf(workload: DiscoveredWorkload): Readonly<Record<string, string>> {
  return {
    ...workload.labels,
    app: workload.service,
    ...(workload.version === null ? {} : { version: workload.version }),
  };
}

/** True when `labels` has every wanted label with its value; nothing wanted selects everything. */
export function matchesLabels(
  wanted: Readonly<Record<string, string>> | undefined,
  labels: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(wanted ?? {}).every(([name, value]) => labels[name] === value);
}

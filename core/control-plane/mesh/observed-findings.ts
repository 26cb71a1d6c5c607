import type { Finding } from '../../model/finding.ts';
import { describeResource } from '../../model/resource.ts';
import type { HttpRoute } from '../../model/sidecar-config.ts';
import { parseRetryOn } from '../../policy/retry-conditions.ts';
import type { Clock } from '../../shared/clock.ts';
import { amplificationFindings, type RetriedCall } from '../../snapshot/checks/retry-amplification.ts';
import type { MeshSnapshot } from '../../snapshot/snapshot.ts';
import { toSidecarConfig } from '../../snapshot/to-sidecar-config.ts';
import type { TelemetryStore } from '../telemetry/telemetry-store.ts';

const lookAgainMs = 5_000;

/** Findings of the snapshot in force, and what its rules mean for the calls that are observed. */
export class ObservedFindings {
  readonly #parts: { readonly snapshot: () => MeshSnapshot; readonly telemetry: TelemetryStore; readonly clock: Clock };
  #seen: { readonly snapshot: MeshSnapshot; readonly atMs: number; readonly observed: readonly Finding[] } | null =
    null;
  #all: readonly Finding[] = [];

  constructor(parts: {
    readonly snapshot: () => MeshSnapshot;
    readonly telemetry: TelemetryStore;
    readonly clock: Clock;
  }) {
    this.#parts = parts;
  }

  /** The same list as before as long as there is nothing else to say; calls are looked at again every 5 s. */
  all(): readonly Finding[] {
    const { clock, telemetry } = this.#parts;
    const snapshot = this.#parts.snapshot();
    const atMs = clock.monotonicMs();
    const before = this.#seen;
    if (before?.snapshot === snapshot && atMs - before.atMs < lookAgainMs) return this.#all;
    const observed = observedFindings(snapshot, telemetry);
    const isSame = before?.snapshot === snapshot && JSON.stringify(before.observed) === JSON.stringify(observed);
    this.#seen = { snapshot, atMs, observed };
    if (!isSame) this.#all = [...snapshot.findings, ...observed];
    return this.#all;
  }
}

/** Of the last ten minutes. */
function observedFindings(snapshot: MeshSnapshot, telemetry: TelemetryStore): readonly Finding[] {
  const calls = new Map<string, RetriedCall>();
  for (const { from, to, protocol } of telemetry.rings()) {
    const key = `${from} ${to}`;
    if (protocol !== 'http' || calls.has(key) || !snapshot.services.has(to)) continue;
    const routes = routesBetween(snapshot, from, to);
    const attempts = Math.max(0, ...routes.map(attemptsOnErrors));
    const resource = snapshot.virtualServices.get(to);
    calls.set(key, { from, to, attempts, rule: resource === undefined ? null : describeResource(resource) });
  }
  return amplificationFindings([...calls.values()]);
}

function routesBetween(snapshot: MeshSnapshot, from: string, to: string): readonly HttpRoute[] {
  const [caller] = snapshot.services.get(from)?.workloads ?? [];
  const config = caller === undefined ? null : toSidecarConfig(snapshot, caller);
  return config?.services.find(({ key }) => key === to)?.routes ?? [];
}

/** Repetitions of requests that were answered with an error; those of failed connections multiply nothing further on. */
function attemptsOnErrors({ retries }: HttpRoute): number {
  if (retries === undefined) return 0;
  const { serverErrors, gatewayErrors, resets, statusCodes } = parseRetryOn(retries.retryOn);
  return serverErrors || gatewayErrors || resets || [...statusCodes].some((code) => code >= 500) ? retries.attempts : 0;
}

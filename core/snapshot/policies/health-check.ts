import { parseDuration } from '../../model/duration.ts';
import type { MeshSettings } from '../../model/mesh-settings.ts';
import type { MeshResources } from '../../model/resource.ts';
import type { ServiceConfig } from '../../model/sidecar-config.ts';
import type { HealthCheckConfig } from '../../model/traffic-config.ts';
import { settingsOf } from '../mesh-settings.ts';

/** `null`: endpoints are not asked. Defaults are those of MeshSettings. */
export function compileHealthCheck({ healthCheck }: MeshSettings['spec']): HealthCheckConfig | null {
  if (healthCheck === undefined) return null;
  const { path, grpc, port, interval, timeout, jitterPercent = 10 } = healthCheck;
  const { unhealthyThreshold = 3, healthyThreshold = 2 } = healthCheck;
  return {
    kind: grpc !== undefined ? 'grpc' : path === undefined ? 'tcp' : 'http',
    path: path ?? '/',
    service: grpc?.service ?? '',
    port: port ?? null,
    intervalMs: toMs(interval, 5_000),
    jitterPercent,
    timeoutMs: toMs(timeout, 1_000),
    unhealthyThreshold,
    healthyThreshold,
  };
}

function toMs(text: string | undefined, otherwise: number): number {
  return Math.max(1, Math.ceil((text === undefined ? null : parseDuration(text)) ?? otherwise));
}

/** A policy that says nothing, where there is none: without one a sidecar keeps no state of a service's endpoints. */
export function withPolicies(services: readonly ServiceConfig[], resources: MeshResources): readonly ServiceConfig[] {
  if (settingsOf(resources).healthCheck === undefined) return services;
  return services.map((service) =>
    service.policies === undefined ? { ...service, policies: [{ subset: null, port: null, policy: {} }] } : service,
  );
}

import { toFaultInjection } from '../../../core/model/fault-injection.ts';
import { parseResources } from '../../../core/model/parse-resources.ts';
import type { Resource } from '../../../core/model/resource.ts';
import type { SidecarConfig } from '../../../core/model/sidecar-config.ts';
import type { DiscoveredWorkload } from '../../../core/model/workload.ts';
import { compileSnapshot } from '../../../core/snapshot/compile-snapshot.ts';
import type {
  ActiveFault,
  ActiveInjection,
  MeshSnapshot,
  SnapshotInput,
  SnapshotWorkload,
} from '../../../core/snapshot/snapshot.ts';
import { toSidecarConfig } from '../../../core/snapshot/to-sidecar-config.ts';

export type Given = Partial<DiscoveredWorkload> &
  Partial<Pick<SnapshotWorkload, 'attached' | 'endpointPorts' | 'listeners'>> & { readonly name: string };

/** A running container of project `shop` on the network `shop`, attached, that serves port 8080. */
export function workload(given: Given): SnapshotWorkload {
  const { attached, endpointPorts, listeners, ...discovered } = given;
  const service = given.service ?? given.name;
  return {
    discovered: {
      id: given.name,
      incarnation: '1',
      runtime: 'docker',
      service,
      namespace: 'shop',
      version: null,
      project: null,
      image: null,
      labels: {},
      state: 'running',
      stateText: 'Up',
      startedAtMs: null,
      ports: [{ port: 8080, protocol: 'auto', publishedPort: null }],
      addresses: [{ network: 'shop', ip: `10.0.0.${given.name.length}`, aliases: [service] }],
      notAttachable: null,
      ...discovered,
    },
    attached: attached ?? true,
    listeners: listeners === undefined ? { kind: 'transparent', outboundPort: 15_001, inboundPort: 15_006 } : listeners,
    endpointPorts: endpointPorts ?? [],
  };
}

/** Resources of a YAML text; throws when it has an error. */
export function resourcesOf(yaml: string): readonly Resource[] {
  const { resources, findings } = parseResources(yaml, null);
  const errors = findings.filter((finding) => finding.severity === 'error');
  if (errors.length > 0) throw new Error(errors.map((finding) => finding.message).join('\n'));
  return resources;
}

export function meshOf(
  workloads: readonly SnapshotWorkload[],
  yaml = '',
  given: Partial<SnapshotInput> = {},
): MeshSnapshot {
  return compileSnapshot({
    revision: 1,
    trustDomain: 'cluster.local',
    rootNamespace: 'istio-system',
    resources: resourcesOf(yaml),
    workloads,
    faults: [],
    ...given,
  });
}

export function configOf(snapshot: MeshSnapshot, workloadId: string): SidecarConfig {
  const config = toSidecarConfig(snapshot, workloadId);
  if (config === null) throw new Error(`no config for ${workloadId}`);
  return config;
}

export function serviceIn(config: SidecarConfig, key: string): SidecarConfig['services'][number] {
  const service = config.services.find((candidate) => candidate.key === key);
  if (service === undefined) throw new Error(`no service ${key}`);
  return service;
}

export function fault(given: Partial<ActiveFault> & { readonly to: string }): ActiveFault {
  return {
    id: 'f1',
    from: null,
    route: null,
    action: { kind: 'delay', delayMs: 400 },
    percent: 30,
    seed: 1,
    expiresAtMs: null,
    ...given,
  };
}

/** The same fault as `fault`, as it is switched on. */
export function injection(given: Partial<ActiveFault> & { readonly to: string }): ActiveInjection {
  const { expiresAtMs, ...active } = fault(given);
  return { resource: toFaultInjection({ ...active, durationMs: null }), sinceMs: 0, expiresAtMs };
}

/** web -> payments v1 (named `payments`) and v2 (named `payments-v2`), all in `shop`. */
export function shop(): readonly SnapshotWorkload[] {
  return [
    workload({ name: 'web' }),
    workload({
      name: 'payments',
      version: 'v1',
      addresses: [{ network: 'shop', ip: '10.0.0.11', aliases: ['payments'] }],
    }),
    workload({
      name: 'payments-v2',
      service: 'payments',
      version: 'v2',
      addresses: [{ network: 'shop', ip: '10.0.0.12', aliases: ['payments-v2'] }],
    }),
  ];
}

/** Subsets v1 and v2 of payments. */
export const versions = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: payments, namespace: shop }
spec:
  host: payments
  subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }]
`;

/** A VirtualService of payments with the given HTTP rules (flow YAML list). */
export const routes = (http: string, name = 'payments', namespace = 'shop', hosts = '[payments]'): string => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name}, namespace: ${namespace} }
spec: { hosts: ${hosts}, http: ${http} }
`;

import { describe, expect, it } from 'vitest';
import { compileSnapshot } from '../../../core/snapshot/compile-snapshot.ts';
import type { SnapshotInput, SnapshotWorkload } from '../../../core/snapshot/snapshot.ts';
import { toSplitResources } from '../../../core/snapshot/split.ts';
import { sameSidecarConfig } from '../../../core/snapshot/to-sidecar-config.ts';
import { configOf, workload } from './mesh-of.ts';

/** 200 workloads: ten services in two versions in each of ten projects, one of them split. */
function workloadsOn(networkOf: (namespace: string) => string): SnapshotWorkload[] {
  return Array.from({ length: 200 }, (_, index) => {
    const namespace = `project-${Math.floor(index / 20)}`;
    const service = `service-${Math.floor((index % 20) / 2)}`;
    const version = index % 2 === 0 ? 'v1' : 'v2';
    return workload({
      ...{ name: `${namespace}-${service}-${version}`, service, namespace, version },
      addresses: [{ network: networkOf(namespace), ip: `10.0.0.${index}`, aliases: [service] }],
    });
  });
}

function inputOf(workloads: readonly SnapshotWorkload[], revision: number): SnapshotInput {
  const resources = Array.from({ length: 10 }, (_, project) => {
    const service = { service: 'service-1', namespace: `project-${project}`, versions: ['v1', 'v2'] };
    const weights = [
      { subset: 'v1', weight: 90 },
      { subset: 'v2', weight: 10 },
    ];
    return Object.values(toSplitResources({ ...service, weights, pins: [] }));
  }).flat();
  return { revision, trustDomain: 'cluster.local', rootNamespace: 'istio-system', resources, workloads, faults: [] };
}

describe('200 workloads', () => {
  it.each([
    ['with a network per project', (namespace: string) => namespace],
    ['on one network', () => 'bridge'],
  ])(
    '%s are worked out once per group of callers, and an unchanged config compares as unchanged',
    (_name, networkOf) => {
      const workloads = workloadsOn(networkOf);
      const configsOf = (revision: number) => {
        const snapshot = compileSnapshot(inputOf(workloads, revision));
        return workloads.map(({ discovered }) => configOf(snapshot, discovered.id));
      };
      const before = configsOf(1);
      const after = configsOf(2);
      const same = after.map((config, index) => sameSidecarConfig(config, before[index] ?? config));
      expect(same).toEqual(workloads.map(() => true));
      // Ten namespaces: callers of one share what they see, so that the work does not grow with the square of the mesh.
      expect(new Set(after.map(({ services }) => services)).size).toBe(10);
    },
  );
});

import { describe, expect, it } from 'vitest';
import type { SnapshotWorkload } from '../../../core/snapshot/snapshot.ts';
import { sameSidecarConfig } from '../../../core/snapshot/to-sidecar-config.ts';
import { configOf, meshOf, workload } from './mesh-of.ts';

const on = (network: string, ip: string) => ({ addresses: [{ network, ip, aliases: [] }] });

function callersOf(id: string, workloads: readonly SnapshotWorkload[]) {
  return configOf(meshOf(workloads), id).inbound.attachedCallers;
}

describe('callers with a sidecar of their own', () => {
  it('are those that are attached and share a network', () => {
    const workloads = [
      workload({ name: 'orders', attached: false, ...on('shop', '10.0.0.9') }),
      workload({ name: 'web', ...on('shop', '10.0.0.3') }),
      workload({ name: 'load', ports: [], ...on('shop', '10.0.0.2') }),
      workload({ name: 'plain', attached: false, listeners: null, ...on('shop', '10.0.0.4') }),
      workload({ name: 'other', ...on('elsewhere', '10.1.0.2') }),
    ];
    expect(callersOf('orders', workloads)).toEqual(['10.0.0.2', '10.0.0.3']);
  });

  it('are none where no redirect rules bring traffic, and none of those', () => {
    const explicit = { kind: 'explicit' as const, inbound: [], outbound: [], httpProxy: null };
    const workloads = [
      workload({ name: 'orders', attached: false }),
      workload({ name: 'process', listeners: explicit }),
      workload({ name: 'web' }),
    ];
    expect(callersOf('process', workloads)).toBeUndefined();
    expect(callersOf('orders', workloads)).toEqual(['10.0.0.3']);
  });

  it('make another configuration when one of them comes, and none when nothing changed; sidecars of a network share the list', () => {
    const load = workload({ name: 'load', ports: [], ...on('shop', '10.0.0.2') });
    const orders = workload({ name: 'orders', ...on('shop', '10.0.0.9') });
    const web = workload({ name: 'web', ...on('shop', '10.0.0.3') });
    const mesh = meshOf([orders, web, load]);
    expect(configOf(mesh, 'orders').inbound.attachedCallers).toBe(configOf(mesh, 'web').inbound.attachedCallers);
    expect(sameSidecarConfig(configOf(mesh, 'orders'), configOf(meshOf([orders, web, load]), 'orders'))).toBe(true);
    const before = { ...configOf(mesh, 'orders'), inbound: configOf(meshOf([orders, web]), 'orders').inbound };
    expect(sameSidecarConfig(before, configOf(mesh, 'orders'))).toBe(false);
  });
});

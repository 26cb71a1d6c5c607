import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WorkloadFaults } from '../../../core/control-plane/mesh/workload-faults.ts';
import type { Disturbance, Runtime } from '../../../core/control-plane/runtime/runtime.ts';
import { FaultSpec } from '../../../core/model/fault-injection.ts';
import type { DiscoveredWorkload } from '../../../core/model/workload.ts';
import { silentLogger } from '../../../core/shared/logger.ts';
import type { ActiveInjection } from '../../../core/snapshot/snapshot.ts';
import { eventually } from '../../support/eventually.ts';
import { fakeWorkload } from '../../support/fake-runtime.ts';

let stateDir: string;
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'workload-faults-'));
});
afterEach(() => rmSync(stateDir, { recursive: true, force: true }));

const written = () => JSON.parse(readFileSync(join(stateDir, 'disturbed.json'), 'utf8')).disturbed;

function active(name: string, spec: unknown, changes: Partial<ActiveInjection> = {}): ActiveInjection {
  const metadata = { name, namespace: 'shop' };
  const resource = {
    apiVersion: 'meshdesk.dev/v1alpha1',
    kind: 'FaultInjection',
    metadata,
    spec: FaultSpec.parse(spec),
  };
  return { resource, sinceMs: 0, expiresAtMs: null, ...changes } as ActiveInjection;
}

function start(workloads: DiscoveredWorkload[]) {
  const log: string[] = [];
  const notices: string[] = [];
  const seen: string[] = [];
  const state = { workloads, faults: [] as ActiveInjection[], nowMs: 0, fails: false };
  const runtime = {
    disturb: async (id: string, what: Disturbance) => {
      if (state.fails) throw new Error('the engine says no');
      log.push(`${what} ${id}`);
      return { end: async () => void log.push(`end of ${what} ${id}`) };
    },
    undisturb: async (id: string, what: Disturbance) => void log.push(`undo ${what} ${id}`),
  } as unknown as Runtime;
  const faults = new WorkloadFaults({
    registry: {
      all: () => state.workloads,
      get: (id) => state.workloads.find((one) => one.id === id) ?? null,
      runtimeOf: () => runtime,
    },
    active: () => state.faults,
    faultSeen: (fault, hit) => seen.push(`${fault} ${hit}`),
    clock: { nowMs: () => state.nowMs, monotonicMs: () => state.nowMs },
    leaseMs: 6_000,
    stateDir,
    onNotice: ({ message }) => notices.push(message),
    log: silentLogger,
  });
  return { faults, state, log, notices, seen };
}

const pause = { to: 'orders', fault: { workload: { pause: {} } } };
const kill = { to: 'orders', fault: { workload: { kill: {} } } };

describe('WorkloadFaults', () => {
  it('disturbs what runs for the service, and lets it go with the fault', async () => {
    const { faults, state, log } = start([
      fakeWorkload('orders-v1'),
      fakeWorkload('orders-v2', { state: 'exited' }),
      fakeWorkload('web'),
    ]);
    state.faults = [active('stop', pause)];
    faults.reconcile();
    await eventually('it is paused', () => log.length === 1);
    await eventually('it is written down', () => written().length === 1);
    expect(written()).toEqual([{ workload: 'id-orders-v1', what: 'pause' }]);
    state.faults = [];
    faults.reconcile();
    await eventually('it is let go', () => log.length === 2);
    expect(log).toEqual(['pause id-orders-v1', 'end of pause id-orders-v1']);
    await eventually('nothing is written down', () => written().length === 0);
    await faults.close();
  });

  it('pauses what runs anew, and kills only once', async () => {
    const { faults, state, log } = start([fakeWorkload('orders')]);
    state.faults = [active('stop', pause), active('dead', kill)];
    faults.reconcile();
    await eventually('both', () => log.length === 2);
    state.workloads = [fakeWorkload('orders', { incarnation: '2' })];
    faults.reconcile();
    await eventually('the new one is paused, the old pause has ended', () => log.length === 4);
    expect(log.filter((line) => line.startsWith('kill'))).toHaveLength(1);
    expect(log.filter((line) => line.startsWith('pause'))).toHaveLength(2);
    await faults.close();
    expect(log.filter((line) => line.startsWith('end of'))).toHaveLength(3);
  });

  it('follows schedule and window', async () => {
    const { faults, state, log } = start([fakeWorkload('orders')]);
    state.faults = [active('turns', { ...pause, schedule: { startAfter: '1s', on: '2s', off: '3s' } })];
    const at = async (ms: number, lines: number) => {
      state.nowMs = ms;
      faults.reconcile();
      await eventually(`${lines} lines at ${ms} ms`, () => log.length === lines);
    };
    await at(0, 0);
    await at(1_000, 1);
    await at(3_000, 2);
    await at(6_000, 3);
    state.faults = [active('window', { ...pause, trigger: { window: { from: '0s', until: '5s' } } })];
    await at(6_500, 4);
    await faults.close();
  });

  it('says why a fault does not act, once', async () => {
    const { faults, state, notices, seen } = start([fakeWorkload('orders')]);
    state.fails = true;
    state.faults = [active('stop', pause)];
    faults.reconcile();
    await eventually('a notice', () => notices.length === 1);
    faults.reconcile();
    expect(notices).toEqual(['The fault does not act on orders: the engine says no']);
    expect(seen).toEqual(['stop false']);
    await faults.close();
  });

  it('undoes what an earlier control plane has left, of an engine that answers later as well', async () => {
    const disturbed = [
      { workload: 'id-orders', what: 'kill' },
      { workload: 'id-late', what: 'pause' },
    ];
    writeFileSync(join(stateDir, 'disturbed.json'), JSON.stringify({ formatVersion: 1, disturbed }));
    const { faults, state, log } = start([fakeWorkload('orders', { state: 'exited' })]);
    await faults.recover();
    expect(log).toEqual(['undo kill id-orders']);
    await eventually('the other one is still written down', () => written().length === 1);
    state.workloads = [fakeWorkload('late')];
    faults.reconcile();
    await eventually('it is undone', () => log.length === 2);
    expect(log[1]).toBe('undo pause id-late');
    await eventually('nothing is written down', () => written().length === 0);
    await faults.close();
  });
});

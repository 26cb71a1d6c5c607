import { describe, expect, it } from 'vitest';
import { MeshError } from '../../../core/contract/errors.ts';
import type { WorkloadView } from '../../../core/contract/shapes.ts';
import { GatewayKeeper } from '../../../core/control-plane/gateways/gateway-keeper.ts';
import { RecordedLog } from '../../support/contract-fixture.ts';
import { eventually } from '../../support/eventually.ts';

type Seen = Pick<WorkloadView, 'id' | 'runtime' | 'mesh'>;

/** A keeper over workloads that the test changes, and what it starts; `stopped` is what a file would keep. */
function keep(stopped = new Set<string>()) {
  const started: string[] = [];
  let seen: readonly Seen[] = [];
  const keeper = new GatewayKeeper({
    workloads: () => seen as readonly WorkloadView[],
    attach: async (id) => started.push(id),
    stopped: {
      has: (id) => stopped.has(id),
      ids: () => [...stopped],
      add: (id) => void stopped.add(id),
      delete: (id) => void stopped.delete(id),
    },
    onNotice: () => undefined,
    log: new RecordedLog(),
  });
  const look = (gateway: WorkloadView['mesh'] | null, workload: WorkloadView['mesh'] = 'attached') => {
    const gateways: Seen[] = gateway === null ? [] : [{ id: 'edge', runtime: 'gateway', mesh: gateway }];
    seen = [{ id: 'shop', runtime: 'process', mesh: workload }, ...gateways];
    keeper.look();
  };
  return { look, started, stopped };
}

describe('the keeper of gateways', () => {
  it('starts a gateway with the first workload that is attached, once', () => {
    const { look, started } = keep();
    look('detached', 'detached');
    expect(started).toEqual([]);
    look('detached');
    look('attaching');
    look('attached');
    expect(started).toEqual(['edge']);
  });

  it('keeps that somebody has stopped one, for itself and for a later run', () => {
    const { look, started, stopped } = keep();
    for (const mesh of ['detached', 'attached', 'detaching', 'detached', 'detached'] as const) look(mesh);
    expect(started).toEqual(['edge']);
    expect([...stopped]).toEqual(['edge']);
    const later = keep(stopped);
    later.look('detached', 'detached');
    later.look('detached');
    expect(later.started).toEqual([]);
    later.look('attached');
    expect([...stopped]).toEqual([]);
  });

  it('takes one that ended by itself for no one’s wish', () => {
    const { look, stopped } = keep();
    for (const mesh of ['detached', 'attached', 'degraded', 'detached'] as const) look(mesh);
    expect([...stopped]).toEqual([]);
  });

  it('starts it again once all were detached, or its Gateway was taken away', () => {
    const stop = ['detached', 'attached', 'detaching', 'detached'] as const;
    const one = keep();
    for (const mesh of stop) one.look(mesh);
    one.look('detached', 'detached');
    one.look('detached');
    expect(one.started).toEqual(['edge', 'edge']);
    const other = keep();
    for (const mesh of stop) other.look(mesh);
    other.look(null);
    other.look('detached');
    expect(other.started).toEqual(['edge', 'edge']);
  });

  it('tries one again that was started anew while it started, and no other', async () => {
    const tried: string[] = [];
    let incarnation = 1;
    const keeper = new GatewayKeeper({
      workloads: () =>
        [
          { id: 'shop', runtime: 'process', mesh: 'attached' },
          { id: 'edge', name: 'edge', runtime: 'gateway', mesh: 'detached', incarnation: String(incarnation) },
        ] as unknown as readonly WorkloadView[],
      attach: async (id) => {
        tried.push(id);
        if (tried.length === 1) incarnation += 1;
        throw new Error('no');
      },
      stopped: { has: () => false, ids: () => [], add: () => undefined, delete: () => undefined },
      onNotice: ({ message }) => tried.push(message),
      log: new RecordedLog(),
    });
    keeper.look();
    await eventually('the second failure', () => tried.length === 3);
    expect(tried).toEqual(['edge', 'edge', 'The gateway edge was not started: no']);
  });

  it('tries one again whose port was taken before it could listen, three times in all', async () => {
    const told: string[] = [];
    let tries = 0;
    const keeper = new GatewayKeeper({
      workloads: () =>
        [
          { id: 'shop', runtime: 'process', mesh: 'attached' },
          { id: 'edge', name: 'edge', runtime: 'gateway', mesh: 'detached', incarnation: '1' },
        ] as unknown as readonly WorkloadView[],
      attach: async () => {
        tries += 1;
        const cause = new MeshError('CONFIG_REJECTED', 'cannot listen on 127.0.0.1:8080: address in use');
        throw new MeshError('ATTACH_FAILED', 'step configuration', { cause });
      },
      stopped: { has: () => false, ids: () => [], add: () => undefined, delete: () => undefined },
      onNotice: ({ message }) => told.push(message),
      log: new RecordedLog(),
    });
    keeper.look();
    await eventually('the last failure', () => told.length > 0);
    expect(tries).toBe(3);
  });
});

import { describe, expect, it } from 'vitest';
import { runLimited } from '../../../core/control-plane/mesh/run-limited.ts';
import { suggest } from '../../../core/control-plane/mesh/suggest.ts';
import { WorkloadRegistry } from '../../../core/control-plane/mesh/workload-registry.ts';
import { FakeRuntime, fakeWorkload } from '../../support/fake-runtime.ts';

const workloads = [
  fakeWorkload('web', { id: 'a'.repeat(64), addresses: [{ network: 'front', ip: '10.0.0.2', aliases: [] }] }),
  fakeWorkload('payments-v1', { id: 'b'.repeat(64), addresses: [{ network: 'back', ip: '10.0.0.2', aliases: [] }] }),
  fakeWorkload('payments-v2', { id: 'c'.repeat(64) }),
  fakeWorkload('cron', { id: 'd'.repeat(64), namespace: 'jobs', project: null, state: 'exited' }),
  fakeWorkload('web', { id: 'e'.repeat(64), name: 'jobs-web', namespace: 'jobs', service: 'web', project: null }),
];

function createRegistry(all = workloads): WorkloadRegistry {
  const runtime = new FakeRuntime(all);
  const registry = new WorkloadRegistry([runtime]);
  registry.update(runtime, all);
  return registry;
}

const names = (found: readonly { name: string }[]) => found.map(({ name }) => name);

describe('a workload is found by', () => {
  it.each([
    ['its name', 'payments-v1', 'payments-v1'],
    ['its id', 'b'.repeat(64), 'payments-v1'],
    ['the start of its id', 'b'.repeat(12), 'payments-v1'],
    ['its service with namespace', 'cron.jobs', 'cron'],
    ['its name before a service of that name', 'web', 'web'],
  ])('%s', (_how, name, expected) => {
    expect(createRegistry().find(name).name).toBe(expected);
  });

  it('a name that several have only with their ids in the message', () => {
    expect(() => createRegistry().find('payments')).toThrow(
      /payments-v1 \(bbbbbbbbbbbb\), payments-v2 \(cccccccccccc\)/,
    );
  });
});

describe('a selection', () => {
  it('takes all workloads of a service, each once', () => {
    expect(names(createRegistry().select({ names: ['payments', 'payments-v2'] }))).toEqual([
      'payments-v1',
      'payments-v2',
    ]);
  });

  it('of all puts what runs first', () => {
    expect(names(createRegistry().select({ all: true })).at(-1)).toBe('cron');
  });

  it('of a project has its workloads, and suggests another when there are none', () => {
    expect(names(createRegistry().select({ project: 'shop' }))).toEqual(['payments-v1', 'payments-v2', 'web']);
    expect(() => createRegistry().select({ project: 'shup' })).toThrow(/Did you mean shop\?/);
  });
});

describe('an address', () => {
  it('is that of the workload on a network which both are on', () => {
    const registry = createRegistry();
    expect(registry.byAddress('10.0.0.2', 'a'.repeat(64))?.name).toBe('web');
    expect(registry.byAddress('10.0.0.2', 'b'.repeat(64))?.name).toBe('payments-v1');
    expect(registry.byAddress('10.0.0.2', 'c'.repeat(64))).toBe(null);
  });

  it('on loopback is nobody’s: every process of the machine may call from there', () => {
    const registry = createRegistry([
      fakeWorkload('only', { addresses: [{ network: 'lo', ip: '127.0.0.1', aliases: [] }] }),
    ]);
    expect(registry.byAddress('127.0.0.1', registry.find('only').id)).toBeNull();
  });

  it('is the host’s own when it is loopback or the gateway of its network', () => {
    const registry = createRegistry();
    expect(registry.isLocal('127.0.0.1', 'a'.repeat(64))).toBe(true);
    expect(registry.isLocal('10.0.0.1', 'a'.repeat(64))).toBe(true);
    expect(registry.isLocal('10.0.0.9', 'a'.repeat(64))).toBe(false);
  });
});

describe('suggest', () => {
  it('names what is near, else what there is', () => {
    expect(suggest('ordes', ['orders', 'web'])).toBe(' Did you mean orders?');
    expect(suggest('zzz', ['orders', 'web'])).toBe(' There is: orders, web.');
    expect(suggest('zzz', [])).toBe('');
  });
});

describe('runLimited', () => {
  it('never runs more than the limit at once, and keeps the order of the results', async () => {
    let running = 0;
    let most = 0;
    const results = await runLimited([1, 2, 3, 4, 5, 6, 7], 3, async (item) => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      if (item === 4) throw new Error('four');
      return item * 10;
    });
    expect(most).toBe(3);
    expect(results.map((result) => (result.status === 'fulfilled' ? result.value : String(result.reason)))).toEqual([
      10,
      20,
      30,
      'Error: four',
      50,
      60,
      70,
    ]);
  });
});

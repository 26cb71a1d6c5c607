import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { EventHub, type MeshEvent } from '../../../core/control-plane/api/event-hub.ts';
import { demoStatus, RecordedLog } from '../../support/contract-fixture.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

function createHub(overrides: { faults?: () => never } = {}) {
  const log = new RecordedLog();
  let made = 0;
  const hub = new EventHub({
    log,
    pictures: {
      status: () => {
        made += 1;
        return demoStatus;
      },
      workloads: () => [],
      topology: () => ({ windowSeconds: 30, atMs: 0, revision: 0, nodes: [], edges: [] }),
      faults: overrides.faults ?? (() => []),
      splits: () => ({ revision: 0 }),
    },
  });
  return { hub, log, made: () => made };
}

const names = (events: readonly MeshEvent[], name: string) => events.filter((event) => event.name === name).length;

test('makes no picture while nobody listens', () => {
  const { hub, made } = createHub();
  hub.changed('status');
  vi.advanceTimersByTime(5_000);
  expect(made()).toBe(0);
});

test('begins with every picture and tells topology and status once a second', () => {
  const { hub } = createHub();
  const seen: MeshEvent[] = [];
  const stop = hub.listen((event) => seen.push(event));
  vi.advanceTimersByTime(0);
  expect(seen.map(({ name }) => name).sort()).toEqual(['faults', 'splits', 'status', 'topology', 'workloads']);
  vi.advanceTimersByTime(10_050);
  expect(names(seen, 'topology')).toBe(11);
  expect(names(seen, 'workloads')).toBe(1);
  stop();
  vi.advanceTimersByTime(10_000);
  expect(names(seen, 'topology')).toBe(11);
});

test('a burst of a hundred changes a second costs at most ten pictures a second, the last one after the burst', () => {
  const { hub } = createHub();
  const seen: MeshEvent[] = [];
  hub.listen((event) => seen.push(event));
  vi.advanceTimersByTime(0);
  for (let index = 0; index < 100; index += 1) {
    hub.changed('workloads');
    vi.advanceTimersByTime(10);
  }
  vi.advanceTimersByTime(200);
  expect(names(seen, 'workloads')).toBeGreaterThanOrEqual(10);
  expect(names(seen, 'workloads')).toBeLessThanOrEqual(12);
  const after = names(seen, 'workloads');
  hub.changed('workloads');
  vi.advanceTimersByTime(100);
  expect(names(seen, 'workloads')).toBe(after + 1);
  hub.close();
});

test('tells every single event that is no picture', () => {
  const { hub } = createHub();
  const seen: MeshEvent[] = [];
  hub.listen((event) => seen.push(event));
  for (let index = 0; index < 50; index += 1) hub.tell('terminal.data', { id: 'a', data: String(index) });
  expect(names(seen, 'terminal.data')).toBe(50);
  hub.close();
});

test('a picture or a listener that fails is logged and does not keep the others from theirs', () => {
  const { hub, log } = createHub({
    faults: () => {
      throw new Error('no faults today');
    },
  });
  const seen: MeshEvent[] = [];
  hub.listen(() => {
    throw new Error('a bad listener');
  });
  hub.listen((event) => seen.push(event));
  vi.advanceTimersByTime(0);
  expect(seen.map(({ name }) => name).sort()).toEqual(['splits', 'status', 'topology', 'workloads']);
  expect(log.lines.join('\n')).toContain('no faults today');
  expect(log.lines.join('\n')).toContain('a bad listener');
  hub.close();
});

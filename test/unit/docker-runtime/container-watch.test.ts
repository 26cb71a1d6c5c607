import type Docker from 'dockerode';
import { expect, it } from 'vitest';
import { ContainerWatch } from '../../../core/control-plane/runtime/docker/container-watch.ts';
import type { EngineEvent } from '../../../core/control-plane/runtime/docker/engine-connection.ts';
import { silentLogger } from '../../../core/shared/logger.ts';
import { eventually } from '../../support/eventually.ts';

const id = '0123456789abcdef'.repeat(4);
const running = {
  Id: id,
  Name: '/web',
  Platform: 'linux',
  State: { Status: 'running', Running: true, StartedAt: '2026-01-02T03:04:05.678901234Z' },
  Config: { Image: 'shop/web', Labels: {} },
  HostConfig: { NetworkMode: 'shop' },
  NetworkSettings: { Ports: {}, Networks: { shop: { IPAddress: '172.20.0.2', Aliases: ['web'] } } },
};
const happens = (action: string) => ({ Type: 'container', Action: action, Actor: { ID: id } }) as EngineEvent;

/** An engine whose answers to `inspect` are given one by one. */
function startWatch() {
  const asked: { answer(): void; refuse(statusCode: number): void }[] = [];
  const inspect = () =>
    new Promise((resolve, reject) => {
      asked.push({
        answer: () => resolve(running),
        refuse: (statusCode) => reject(Object.assign(new Error(`status ${statusCode}`), { statusCode })),
      });
    });
  const docker = { getContainer: () => ({ inspect }) } as unknown as Docker;
  const watch = new ContainerWatch({ log: silentLogger, docker: () => docker, onChange: () => undefined });
  const names = () => watch.workloads().map(({ name }) => name);
  return { watch, asked, names };
}

it('forgets a container that is removed while the engine still answers what it was', async () => {
  const { watch, asked, names } = startWatch();
  watch.onEvent(happens('start'));
  watch.onEvent(happens('destroy'));
  asked[0]?.answer();
  await eventually('it is looked at again', () => asked.length === 2);
  asked[1]?.refuse(404);
  await eventually('it is gone', () => names().length === 0);
});

it('looks again at a container that changed while it was looked at, once for all changes', async () => {
  const { watch, asked, names } = startWatch();
  for (const action of ['start', 'pause', 'unpause']) watch.onEvent(happens(action));
  asked[0]?.answer();
  await eventually('it is looked at again', () => asked.length === 2);
  asked[1]?.answer();
  await eventually('it is listed', () => names().join() === 'web');
  watch.onEvent(happens('destroy'));
  expect([names(), asked.length]).toEqual([[], 2]);
});

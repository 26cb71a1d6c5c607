import { afterEach, beforeEach, expect, test } from 'vitest';
import { createApiServer } from '../../core/control-plane/api/api-server.ts';
import { listenOnLoopback } from '../../core/control-plane/api/listen.ts';
import { createContractFixture } from '../support/contract-fixture.ts';

let url = '';
let done: string[] = [];
let close: () => Promise<void> = async () => undefined;

beforeEach(async () => {
  const { hub, log } = createContractFixture();
  done = [];
  const call = async (method: string) => {
    done.push(method);
    return { ok: true as const, output: done.length };
  };
  const api = createApiServer({ call, hub, log, gatekeeper: null, staticDir: null });
  url = `http://127.0.0.1:${await listenOnLoopback(api.server, 0)}/api/call`;
  close = async () => {
    await api.close();
    hub.close();
  };
});
afterEach(() => close());

async function send(id: string | null): Promise<unknown> {
  const headers = { 'content-type': 'application/json', ...(id === null ? {} : { 'x-call-id': id }) };
  const response = await fetch(url, { method: 'POST', headers, body: '{"method":"config.undo","input":{}}' });
  return ((await response.json()) as { output: unknown }).output;
}

test('does a call once that is sent twice, and gives both the same answer', async () => {
  expect(await Promise.all([send('call-0001'), send('call-0001')])).toEqual([1, 1]);
  expect(await send('call-0001')).toBe(1);
  expect(done).toHaveLength(1);
});

test('does calls of different ids, of none and of unfit ones each by itself', async () => {
  expect([await send('call-0001'), await send('call-0002')]).toEqual([1, 2]);
  expect([await send(null), await send(null)]).toEqual([3, 4]);
  expect([await send('short'), await send('short')]).toEqual([5, 6]);
});

test('forgets the oldest: what is kept has an end', async () => {
  for (let number = 0; number < 40; number += 1) await send(`call-1${String(number).padStart(3, '0')}`);
  expect(await send('call-1000')).toBe(41);
  expect(await send('call-1039')).toBe(40);
});

/**
 * What every transport promises: the same answers, the same errors, the same events. One suite over a table of them; the
 * desktop's IPC has an entry of its own where it can be started.
 */
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createContractClient } from '../../core/contract/client.ts';
import { contract, events, type Transport } from '../../core/contract/contract.ts';
import { errorCatalogue } from '../../core/contract/errors.ts';
import { createApiServer } from '../../core/control-plane/api/api-server.ts';
import { createGatekeeper, type Gatekeeper } from '../../core/control-plane/api/gatekeeper.ts';
import { createInProcessTransport } from '../../core/control-plane/api/in-process-transport.ts';
import { listenOnLoopback, listenOnSocket } from '../../core/control-plane/api/listen.ts';
import { createSocketTransport } from '../../core/control-plane/cli/socket-transport.ts';
import { createContractFixture, demoStatus } from '../support/contract-fixture.ts';
import { eventually } from '../support/eventually.ts';

type Fixture = ReturnType<typeof createContractFixture>;
type Opened = { transport: Transport; close: () => Promise<void> };

const transports: Record<string, (fixture: Fixture) => Promise<Opened>> = {
  'in-process': async ({ call, hub }) => ({
    transport: createInProcessTransport(call, hub),
    close: async () => undefined,
  }),
  'HTTP and WebSocket': async ({ call, hub, log }) => {
    let gatekeeper: Gatekeeper | null = null;
    const api = createApiServer({ call, hub, log, gatekeeper: () => gatekeeper, staticDir: null });
    const port = await listenOnLoopback(api.server, 0);
    gatekeeper = createGatekeeper(port);
    return { transport: createSocketTransport({ port, token: gatekeeper.bearerToken }), close: api.close };
  },
  'control socket': async ({ call, hub, log }) => {
    const dir = await mkdtemp(join(tmpdir(), 'contract-'));
    const socketPath = process.platform === 'win32' ? `\\\\.\\pipe\\contract-${process.pid}` : join(dir, 's.sock');
    const api = createApiServer({ call, hub, log, gatekeeper: null, staticDir: null });
    await listenOnSocket(api.server, socketPath);
    if (process.platform !== 'win32') expect((await stat(socketPath)).mode & 0o777).toBe(0o600);
    return {
      transport: createSocketTransport({ socketPath }),
      close: async () => {
        await api.close();
        await rm(dir, { recursive: true });
      },
    };
  },
};

describe.each(Object.entries(transports))('%s', (_name, open) => {
  let fixture: Fixture;
  let opened: Opened;
  beforeEach(async () => {
    fixture = createContractFixture();
    opened = await open(fixture);
  });
  afterEach(async () => {
    await opened.close();
    fixture.hub.close();
  });

  test('answers a call, with the defaults of the contract', async () => {
    const client = createContractClient(opened.transport);
    expect(await client.call('mesh.status', {})).toEqual(demoStatus);
    expect(await client.call('topology.get', {})).toMatchObject({ windowSeconds: 30 });
    expect(await client.call('topology.get', { windowSeconds: 60 })).toMatchObject({ windowSeconds: 60 });
    client.close();
  });

  test('refuses an unknown method and an input that does not fit, and says where', async () => {
    expect(await opened.transport.call('mesh.explode', {})).toMatchObject({
      ok: false,
      error: { code: 'BAD_REQUEST' },
    });
    expect(await opened.transport.call('constructor', {})).toMatchObject({ ok: false, error: { code: 'BAD_REQUEST' } });
    const response = await opened.transport.call('split.set', {
      service: 'payments',
      weights: [{ subset: 'v1', weight: 101 }],
      extra: 1,
    });
    expect(response).toMatchObject({ ok: false, error: { code: 'BAD_REQUEST', hint: errorCatalogue.BAD_REQUEST } });
    const paths = response.ok ? [] : response.error.issues.map(({ path }) => path);
    expect(paths).toContain('weights[0].weight');
  });

  test('carries an expected error with code, message and hint', async () => {
    const client = createContractClient(opened.transport);
    await expect(client.call('certificate.show', { workload: 'x' })).rejects.toMatchObject({
      name: 'MeshError',
      code: 'NOT_FOUND',
      message: 'There is nothing of that name.',
      hint: errorCatalogue.NOT_FOUND,
    });
    client.close();
  });

  test('a bug, or an output that breaks the contract, is INTERNAL without details, and is logged with them', async () => {
    for (const method of ['mesh.doctor', 'mesh.cleanup']) {
      const response = await opened.transport.call(method, {});
      expect(response).toMatchObject({ ok: false, error: { code: 'INTERNAL', issues: [] } });
      expect(JSON.stringify(response)).not.toMatch(/secret|unexpected|\.ts/);
    }
    expect(fixture.log.lines.join('\n')).toContain('the secret cause');
    expect(fixture.log.lines.join('\n')).toContain('the output does not fit the contract');
  });

  test('tells every picture at the start, and events as they come', async () => {
    const seen: { name: string; payload: unknown }[] = [];
    let connected = false;
    const stop = opened.transport.listen(
      (event) => seen.push(event),
      (state) => {
        connected = state;
      },
    );
    const pictures = ['faults', 'splits', 'status', 'topology', 'workloads'];
    await eventually(
      'all pictures have come',
      () => connected && pictures.every((name) => seen.some((event) => event.name === name)),
    );
    await opened.transport.call('terminal.input', { id: 'a', data: 'hello' });
    await eventually('the terminal has spoken', () =>
      seen.some(({ name, payload }) => name === 'terminal.data' && JSON.stringify(payload).includes('hello')),
    );
    for (const { name, payload } of seen)
      expect(events[name as keyof typeof events].safeParse(payload).success).toBe(true);
    stop();
    await eventually('nobody listens any more', () => fixture.hub.listeners === 0);
  });
});

test('every method and event of the contract has a schema, and methods are called noun.verb', () => {
  const methods = Object.entries(contract);
  expect(methods.length).toBeGreaterThan(20);
  for (const [name, { input, output }] of methods) {
    expect(name).toMatch(/^[a-z]+\.[a-z]+$/);
    expect(typeof input.safeParse).toBe('function');
    expect(typeof output.safeParse).toBe('function');
  }
});

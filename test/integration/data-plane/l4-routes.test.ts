/** `tls` and `tcp` rules on real sockets: TLS of the application's own is routed by its server name and not opened. */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { beforeEach, describe, expect, it } from 'vitest';
import type { L4RouteConfig } from '../../../core/model/l4-config.ts';
import type { ServiceConfig } from '../../../core/model/sidecar-config.ts';
import { prepareClosers } from '../../support/closers.ts';
import { createCsr } from '../../support/create-csr.ts';
import { TestCa } from '../../support/test-ca.ts';
import { emptyConfig, freePort, serviceOf, TestSidecar } from '../../support/test-sidecar.ts';

const closers = prepareClosers();
let ca: TestCa;
beforeEach(async () => {
  ca = await TestCa.create();
});

/** Says its own name and the server name that the client asked for, over its own TLS. */
async function startTls(name: string): Promise<number> {
  const { csrPem, privateKeyPem } = await createCsr({ dns: ['a.bank.example', 'b.bank.example', 'pay'] });
  const options = { cert: await ca.sign(csrPem), key: privateKeyPem };
  return closers.listening(
    createTlsServer(options, (socket) => {
      socket.on('error', () => undefined);
      socket.end(`${name} ${(socket as { servername?: string }).servername}`);
    }),
  );
}

const startNamed = (name: string) => closers.listening(createServer((socket) => socket.end(name)));

/** A sidecar whose application is pointed at one port that stands for `bank.shop`, with these rules. */
async function startSidecar(
  l4Routes: L4RouteConfig[],
  ports: Record<string, number>,
  protocol: 'auto' | 'tcp' = 'auto',
) {
  const services: ServiceConfig[] = Object.entries(ports).map(([name, port]) =>
    serviceOf(name, 443, [{ ports: [{ port: 443, targetPort: port }] }], protocol),
  );
  const port = await freePort();
  const sidecar = await TestSidecar.start({ ca, name: 'web' });
  closers.add(() => sidecar.close());
  const config = emptyConfig('web', 1, {
    listeners: {
      kind: 'explicit',
      inbound: [],
      outbound: [{ listen: { host: '127.0.0.1', port }, service: 'bank.shop', port: 443 }],
      httpProxy: null,
    },
    services: services.map((service) => (service.key === 'bank.shop' ? { ...service, l4Routes } : service)),
  });
  await sidecar.control.push(config);
  return port;
}

const to = (service: string, weight = 0) => ({ service: `${service}.shop`, subset: null, port: null, weight });

async function askTls(port: number, servername: string): Promise<string> {
  const socket = connectTls({ host: '127.0.0.1', port, servername, ca: ca.rootPem });
  closers.add(() => socket.destroy());
  await once(socket, 'secureConnect');
  expect(socket.authorized).toBe(true);
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  await once(socket, 'end');
  return text;
}

async function readName(port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  closers.add(() => socket.destroy());
  let text = '';
  socket.on('error', (error: NodeJS.ErrnoException) => {
    text += error.code;
  });
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  await new Promise((resolve) => socket.once('close', resolve));
  return text;
}

describe('TLS that passes through', () => {
  it('goes where its server name leads, first match first, with the certificate of whoever is there', async () => {
    const ports = { bank: await startTls('bank'), first: await startTls('first'), wide: await startTls('wide') };
    const port = await startSidecar(
      [
        { name: 'tls-1', match: [{ sniHosts: ['a.bank.example'], port: 443 }], destinations: [to('first')] },
        { name: 'tls-2', match: [{ sniHosts: ['*.bank.example'] }], destinations: [to('wide')] },
      ],
      ports,
    );
    expect(await askTls(port, 'a.bank.example')).toBe('first a.bank.example');
    expect(await askTls(port, 'b.bank.example')).toBe('wide b.bank.example');
    expect(await askTls(port, 'pay')).toBe('bank pay');
  });

  it('is shared by weight between destinations', async () => {
    const port = await startSidecar(
      [{ name: 'tls-1', match: [{ sniHosts: ['*.bank.example'] }], destinations: [to('one', 50), to('two', 50)] }],
      { bank: await startTls('bank'), one: await startTls('one'), two: await startTls('two') },
    );
    const seen = new Set<string>();
    for (let turn = 0; turn < 60 && seen.size < 2; turn += 1) seen.add(await askTls(port, 'a.bank.example'));
    expect([...seen].sort()).toEqual(['one a.bank.example', 'two a.bank.example']);
  });
});

describe('TCP', () => {
  it('is drawn by weight connection by connection, also when the server speaks first', async () => {
    const port = await startSidecar(
      [{ name: 'tcp-1', match: [{ port: 443 }], destinations: [to('old', 80), to('new', 20), to('off', 0)] }],
      {
        bank: await startNamed('bank'),
        old: await startNamed('old'),
        new: await startNamed('new'),
        off: await startNamed('off'),
      },
      'tcp',
    );
    const counts: Record<string, number> = { bank: 0, old: 0, new: 0, off: 0 };
    for (let turn = 0; turn < 300; turn += 1) {
      const name = await readName(port);
      counts[name] = (counts[name] ?? 0) + 1;
    }
    expect([counts['bank'], counts['off']]).toEqual([0, 0]);
    expect(counts['new']).toBeGreaterThan(22);
    expect(counts['new']).toBeLessThan(100);
  });

  it('of a rule that does not fit goes to the service itself, and is reset where nobody is', async () => {
    const bank = await startNamed('bank');
    const rule = (port: number): L4RouteConfig => ({ name: 'tcp-1', match: [{ port }], destinations: [to('nobody')] });
    expect(await readName(await startSidecar([rule(9)], { bank }, 'tcp'))).toBe('bank');
    expect(await readName(await startSidecar([rule(443)], { bank }, 'tcp'))).toBe('ECONNRESET');
  });
});

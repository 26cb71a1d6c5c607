/** What a Sidecar resource says of traffic that leaves and arrives, on real sockets. */
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { SidecarConfig } from '../../../core/model/sidecar-config.ts';
import { emptyConfig, freePort, serviceOf, TestSidecar } from '../../support/test-sidecar.ts';

let closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.reverse()) await close();
  closers = [];
});

async function startHttp(name: string): Promise<number> {
  const server = createServer((incoming, response) => response.end(`${name} ${incoming.headers.host}`));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

async function start(changes: Partial<SidecarConfig>): Promise<void> {
  const sidecar = await TestSidecar.start();
  closers.push(() => sidecar.close());
  await sidecar.control.push(emptyConfig('web', 1, changes));
}

/** A request in absolute-form, as clients send it to a proxy; or in origin-form. */
function ask(port: number, path: string, host = 'x'): Promise<{ status: number; body: string; length: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, path, headers: { host }, agent: false }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, body, length: response.headers['content-length'] ?? '' });
      });
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

type Explicit = Extract<SidecarConfig['listeners'], { kind: 'explicit' }>;
const explicit = (changes: Partial<Explicit>): Explicit => ({
  kind: 'explicit',
  inbound: [],
  outbound: [],
  httpProxy: null,
  ...changes,
});
const listen = (port: number) => ({ host: '127.0.0.1', port });

describe('hosts that nobody declared', () => {
  it('are answered as by Istio when only known services may be reached: 502 without a body', async () => {
    const port = await freePort();
    const target = await startHttp('api');
    await start({
      outbound: 'registry-only',
      listeners: explicit({ httpProxy: listen(port) }),
      services: [serviceOf('api', 80, [{ ports: [{ port: 80, targetPort: target }] }], 'http')],
    });
    expect(await ask(port, 'http://unknown.example/')).toEqual({ status: 502, body: '', length: '0' });
    expect(await ask(port, 'http://api.shop/')).toMatchObject({ status: 200, body: 'api api.shop' });
  });
});

describe('names with wildcards and without endpoints', () => {
  it('lead to the host itself, with its own name kept', async () => {
    const port = await freePort();
    const target = await startHttp('itself');
    const wide = {
      ...serviceOf('wide', target, [], 'http'),
      key: '*-host',
      name: '*-host',
      hosts: ['*host'],
      originalDestination: true,
    };
    await start({ listeners: explicit({ httpProxy: listen(port) }), services: [wide] });
    expect(await ask(port, `http://localhost:${target}/`)).toMatchObject({
      status: 200,
      body: `itself localhost:${target}`,
    });
  });
});

describe('a host that only a VirtualService names', () => {
  it('has its routes on port 80', async () => {
    const port = await freePort();
    const target = await startHttp('api');
    const match = [{ port: 80, uri: { prefix: '/api' } }];
    const destinations = [{ service: 'api.shop', subset: null, port: 80, weight: 1 }];
    const host = {
      ...serviceOf('virtual', 80, [], 'http'),
      ...{ key: 'shop.example.com', name: 'shop.example.com', hosts: ['shop.example.com'], originalDestination: true },
      routes: [{ name: 'r', match, destinations, timeoutMs: null }],
    };
    const api = serviceOf('api', 80, [{ ports: [{ port: 80, targetPort: target }] }], 'http');
    await start({ listeners: explicit({ httpProxy: listen(port) }), services: [api, host] });
    expect(await ask(port, 'http://shop.example.com/api/x')).toMatchObject({
      status: 200,
      body: 'api shop.example.com',
    });
    expect((await ask(port, 'http://shop.example.com/other')).status).toBe(404);
  });
});

describe('a port that the application serves elsewhere', () => {
  it('leads to where it listens', async () => {
    const port = await freePort();
    const target = await startHttp('elsewhere');
    await start({
      listeners: explicit({ inbound: [{ listen: listen(port), target: listen(9), port: 9080 }] }),
      inbound: {
        mtls: 'PERMISSIVE',
        ports: [{ port: 9080, protocol: 'http', mtls: 'PERMISSIVE', target: { host: null, port: target } }],
      },
    });
    expect(await ask(port, '/', 'web')).toMatchObject({ status: 200, body: 'elsewhere web' });
  });
});

/**
 * Two sidecars as they stand in the process runtime: web's outbound listener -> mesh mTLS -> orders' inbound listener
 * -> the application. Everything but the applications is the real program, in this process.
 */
import { once } from 'node:events';
import { createServer as createHttpServer, request } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { beforeEach, describe, expect, it } from 'vitest';
import { stalledClientMs } from '../../../core/data-plane/listener/read-first-bytes.ts';
import type { SidecarConfig } from '../../../core/model/sidecar-config.ts';
import { prepareClosers } from '../../support/closers.ts';
import { eventually } from '../../support/eventually.ts';
import { TestCa } from '../../support/test-ca.ts';
import { emptyConfig, freePort, serviceOf, spiffeIdOfName, TestSidecar } from '../../support/test-sidecar.ts';

const closers = prepareClosers();
const { listening } = closers;
let ca: TestCa;

beforeEach(async () => {
  ca = await TestCa.create();
});

async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  // Node 24 leaves a half-open socket open when its reader is at the end.
  socket.destroy();
  return Buffer.concat(chunks);
}

function dial(port: number): Socket {
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
  // A reset at the end of a test is nobody's failure.
  socket.on('error', () => undefined);
  closers.add(() => {
    socket.destroy();
  });
  return socket;
}

async function get(port: number, path = '/', headers: Record<string, string> = {}) {
  const outgoing = request({ host: '127.0.0.1', port, path, headers, agent: false });
  outgoing.end();
  const [response] = await once(outgoing, 'response');
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return { status: response.statusCode as number, headers: response.headers, body: Buffer.concat(chunks).toString() };
}

interface Pair {
  readonly web: TestSidecar;
  readonly orders: TestSidecar;
  /** Where web's application calls orders. */
  readonly outboundPort: number;
  /** Where orders' sidecar takes calls for its application. */
  readonly inboundPort: number;
  readonly webConfig: SidecarConfig;
  readonly ordersConfig: SidecarConfig;
}

/** `applicationPort`: where orders' application listens; `servicePort` is what others call it. */
async function startPair(
  applicationPort: number,
  options: {
    servicePort?: number;
    protocol?: 'auto' | 'http' | 'tcp';
    mtls?: 'DISABLE' | 'PERMISSIVE' | 'STRICT';
  } = {},
): Promise<Pair> {
  const { servicePort = 8_080, protocol = 'auto', mtls = 'PERMISSIVE' } = options;
  const [outboundPort, inboundPort] = [await freePort(), await freePort()];
  const listen = (port: number) => ({ host: '127.0.0.1', port });
  const web = await TestSidecar.start({ ca, name: 'web' });
  const orders = await TestSidecar.start({ ca, name: 'orders' });
  closers.add(() => web.close());
  closers.add(() => orders.close());
  const ordersConfig = emptyConfig('orders', 1, {
    listeners: {
      kind: 'explicit',
      inbound: [{ listen: listen(inboundPort), target: listen(applicationPort), port: servicePort }],
      outbound: [],
      httpProxy: null,
    },
    inbound: { mtls, ports: [{ port: servicePort, protocol, mtls }] },
  });
  const endpoint = { mesh: mtls !== 'DISABLE', ports: [{ port: servicePort, targetPort: inboundPort }] };
  const webConfig = emptyConfig('web', 1, {
    listeners: {
      kind: 'explicit',
      inbound: [],
      outbound: [{ listen: listen(outboundPort), service: 'orders.shop', port: servicePort }],
      httpProxy: null,
    },
    services: [serviceOf('orders', servicePort, [endpoint], protocol)],
  });
  expect(await orders.control.push(ordersConfig)).toEqual({ type: 'ack', revision: 1 });
  expect(await web.control.push(webConfig)).toEqual({ type: 'ack', revision: 1 });
  return { web, orders, outboundPort, inboundPort, webConfig, ordersConfig };
}

const echoServer = () => createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));

describe('a pair of sidecars', () => {
  it('carries HTTP over mutual TLS and both ends know it', async () => {
    const port = await listening(createHttpServer((incoming, response) => response.end(`hello ${incoming.url}`)));
    const { web, orders, outboundPort } = await startPair(port);
    const answer = await get(outboundPort, '/orders/7');
    expect(answer).toMatchObject({ status: 200, body: 'hello /orders/7' });
    const outbound = await eventually('the outbound edge', () =>
      web.control.reports.flatMap(({ edges }) => edges).find(({ requests }) => requests['2xx'] === 1),
    );
    expect(outbound.key).toMatchObject({ peerService: 'orders.shop', protocol: 'http/1.1', mtls: true, port: 8_080 });
    const inbound = await eventually('the inbound edge', () =>
      orders.control.reports.flatMap(({ edges }) => edges).find(({ requests }) => requests['2xx'] === 1),
    );
    expect(inbound.key).toMatchObject({ direction: 'inbound', peerSpiffeId: spiffeIdOfName('web'), mtls: true });
  });

  it('carries TCP over mutual TLS with half-close, byte for byte, and counts it', async () => {
    const { web, orders, outboundPort } = await startPair(await listening(echoServer()), { protocol: 'tcp' });
    const socket = dial(outboundPort);
    const sent = Buffer.alloc(3_000_000, 'meshdesk');
    socket.end(sent);
    expect((await readAll(socket)).equals(sent)).toBe(true);
    const edge = await eventually('the closed edge', () =>
      web.control.reports.flatMap(({ edges }) => edges).find(({ connectionsClosed }) => connectionsClosed === 1),
    );
    expect(edge.key).toMatchObject({ peerService: 'orders.shop', protocol: 'tcp', mtls: true });
    expect(edge.activeConnections).toBe(0);
    const total = (figure: 'bytesSent' | 'bytesReceived') =>
      web.control.reports.flatMap(({ edges }) => edges).reduce((sum, counters) => sum + counters[figure], 0);
    expect([total('bytesSent'), total('bytesReceived')]).toEqual([sent.length, sent.length]);
    const inbound = await eventually('the inbound edge', () =>
      orders.control.reports.flatMap(({ edges }) => edges).find(({ connectionsClosed }) => connectionsClosed === 1),
    );
    expect(inbound.key.peerSpiffeId).toBe(spiffeIdOfName('web'));
  });

  it('lets a server that speaks first speak, without a declared protocol', async () => {
    const port = await listening(createServer((socket) => socket.write('220 ready\r\n')));
    const { outboundPort } = await startPair(port);
    // As soon as a quiet client is known to be one, not when it is given up; a busy machine may need a second try to show it.
    await eventually('a greeting soon after', async () => {
      const started = performance.now();
      const [greeting] = await once(dial(outboundPort), 'data');
      expect(String(greeting)).toBe('220 ready\r\n');
      return performance.now() - started < stalledClientMs;
    });
  });

  it('serves a client as HTTP that was silent before its first request', async () => {
    let connections = 0;
    const application = createHttpServer((_incoming, response) => response.end('late'));
    application.on('connection', () => {
      connections += 1;
    });
    const { web, outboundPort } = await startPair(await listening(application));
    const socket = dial(outboundPort);
    await eventually('the application to be connected for a silent client', () => connections === 1);
    socket.end('GET / HTTP/1.1\r\nHost: orders\r\nConnection: close\r\n\r\n');
    expect((await readAll(socket)).toString()).toContain('late');
    const edge = await eventually('the edge', () =>
      web.control.reports.flatMap(({ edges }) => edges).find(({ requests }) => requests['2xx'] === 1),
    );
    expect(edge.key.protocol).toBe('http/1.1');
    expect(web.control.reports.flatMap(({ edges }) => edges).filter(({ key }) => key.protocol === 'tcp')).toEqual([]);
  });

  it('still takes mesh TLS from a peer that was late with it', async () => {
    let connections = 0;
    const application = echoServer();
    application.on('connection', () => {
      connections += 1;
    });
    const { inboundPort, orders } = await startPair(await listening(application));
    const transport = dial(inboundPort);
    await eventually('the application to be connected for a silent client', () => connections === 1);
    const material = await tlsMaterial(ca);
    const client = connectTls({
      ...material,
      socket: transport,
      ca: ca.rootPem,
      ALPNProtocols: ['meshdesk-tcp'],
      checkServerIdentity: () => undefined,
    });
    client.end('hello');
    expect((await readAll(client)).toString()).toBe('hello');
    const edge = await eventually('the edge', () =>
      orders.control.reports.flatMap(({ edges }) => edges).find(({ connectionsClosed }) => connectionsClosed === 1),
    );
    expect(edge.key).toMatchObject({ protocol: 'tcp', mtls: true, peerSpiffeId: spiffeIdOfName('db') });
  });

  it('waits for a slow client where HTTP is declared', async () => {
    const port = await listening(createHttpServer((_incoming, response) => response.end('late')));
    const { web, outboundPort } = await startPair(port, { protocol: 'http' });
    const socket = dial(outboundPort);
    await once(socket, 'connect');
    const reports = web.control.reports.length;
    await eventually('a report', () => web.control.reports.length > reports);
    socket.end('GET / HTTP/1.1\r\nHost: orders\r\nConnection: close\r\n\r\n');
    expect((await readAll(socket)).toString()).toContain('late');
    const edges = await eventually('the edge', () => {
      const all = web.control.reports.flatMap((report) => report.edges);
      return all.length > 0 && all;
    });
    expect(edges.map(({ key }) => key.protocol)).toEqual(edges.map(() => 'http/1.1'));
  });

  it('passes the TLS of others through untouched', async () => {
    const own = await TestCa.create();
    const pem = await tlsMaterial(own);
    const server = createTlsServer({ ...pem, ALPNProtocols: ['postgresql'] }, (socket) => socket.end('secret'));
    const { inboundPort, outboundPort } = await startPair(await listening(server));
    for (const port of [inboundPort, outboundPort]) {
      const client = connectTls({
        host: '127.0.0.1',
        port,
        ca: own.rootPem,
        ALPNProtocols: ['postgresql'],
        checkServerIdentity: () => undefined,
      });
      expect((await readAll(client)).toString()).toBe('secret');
      expect(client.authorized).toBe(true);
      expect(client.alpnProtocol).toBe('postgresql');
    }
  });

  it('takes plaintext when permissive, and only mesh TLS when strict', async () => {
    const port = await listening(createHttpServer((_incoming, response) => response.end('ok')));
    const { inboundPort, outboundPort, orders, ordersConfig } = await startPair(port);
    expect((await get(inboundPort)).status).toBe(200);
    const strict = { ...ordersConfig, revision: 2, inbound: { mtls: 'STRICT' as const, ports: [] } };
    expect(await orders.control.push(strict)).toEqual({ type: 'ack', revision: 2 });
    await expect(get(inboundPort)).rejects.toThrow();
    expect((await get(outboundPort)).status).toBe(200);
    const edge = await eventually('the refusal in a report', () =>
      orders.control.reports.flatMap(({ edges }) => edges).find(({ flags }) => flags.NR === 1),
    );
    expect(edge.key).toMatchObject({ direction: 'inbound', mtls: false });
  });

  it('refuses peers of another root, of another trust domain, and of another name', async () => {
    const port = await listening(createHttpServer((_incoming, response) => response.end('ok')));
    const { web, outboundPort, webConfig } = await startPair(port, { mtls: 'STRICT' });
    expect((await get(outboundPort)).status).toBe(200);
    const wrongName = structuredClone(webConfig);
    wrongName.revision = 2;
    for (const endpoint of wrongName.services[0]?.endpoints ?? []) endpoint.spiffeId = spiffeIdOfName('payments');
    expect((await web.control.push(wrongName)).type).toBe('ack');
    expect(await get(outboundPort)).toMatchObject({ status: 503, headers: { 'x-mesh-error': 'UF' } });
    expect((await web.control.push({ ...webConfig, revision: 3 })).type).toBe('ack');
    expect((await get(outboundPort)).status).toBe(200);
    const stranger = await TestCa.create();
    await web.control.issue(stranger, spiffeIdOfName('web'), [ca]);
    expect((await get(outboundPort)).status).toBe(503);
    await web.control.issue(ca, 'spiffe://elsewhere/ns/shop/sa/web');
    expect((await get(outboundPort)).status).toBe(503);
  });

  it('rotates certificates and the root under load without a failed request', async () => {
    const port = await listening(createHttpServer((_incoming, response) => response.end('ok')));
    const { web, orders, outboundPort } = await startPair(port);
    const statuses: number[] = [];
    let isRunning = true;
    const load = Array.from({ length: 8 }, async () => {
      while (isRunning) statuses.push((await get(outboundPort)).status);
    });
    const next = await TestCa.create();
    const both = [ca.rootPem, next.rootPem];
    const serials: string[] = [];
    for (let round = 0; round < 3; round += 1) {
      serials.push(await web.control.issue(ca, spiffeIdOfName('web')));
      serials.push(await orders.control.issue(ca, spiffeIdOfName('orders')));
    }
    for (const { control } of [web, orders]) control.send({ type: 'trust', trustBundlePem: both });
    const before = statuses.length;
    await eventually('requests with both roots', () => statuses.length > before + 20);
    for (const [sidecar, name] of [
      [web, 'web'],
      [orders, 'orders'],
    ] as const) {
      await sidecar.control.issue(next, spiffeIdOfName(name), [ca, next]);
    }
    const after = statuses.length;
    await eventually('requests with the new root', () => statuses.length > after + 20);
    isRunning = false;
    await Promise.all(load);
    expect(new Set(serials).size).toBe(6);
    expect(statuses.length).toBeGreaterThan(40);
    expect(statuses.filter((status) => status !== 200)).toEqual([]);
  });

  it('resets the client when the application breaks off or is not there', async () => {
    const broken = createServer((socket) => socket.once('data', () => socket.resetAndDestroy()));
    const { outboundPort } = await startPair(await listening(broken), { protocol: 'tcp' });
    const socket = dial(outboundPort);
    socket.write('x');
    const [error] = await once(socket, 'error');
    expect(error.code).toBe('ECONNRESET');
    const nobody = await startPair(await freePort(), { protocol: 'tcp' });
    const refused = dial(nobody.outboundPort);
    refused.write('x');
    const [refusal] = await once(refused, 'error');
    expect(refusal.code).toBe('ECONNRESET');
  });

  it('delivers what was sent before a client broke off', async () => {
    const received: Buffer[] = [];
    let ended = '';
    const sink = createServer((socket) => {
      socket.on('data', (chunk) => received.push(chunk));
      socket.on('error', () => {
        ended ||= 'error';
      });
      socket.on('end', () => {
        ended ||= 'end';
      });
    });
    const { web, orders, outboundPort } = await startPair(await listening(sink), { protocol: 'tcp' });
    const socket = dial(outboundPort);
    socket.write('all of this');
    await eventually('the bytes at the application', () => Buffer.concat(received).toString() === 'all of this');
    socket.resetAndDestroy();
    await eventually('the end of the connection', () => ended !== '');
    expect(ended).toBe('error');
    for (const { control } of [web, orders]) {
      const edge = await eventually('the closed edge', () =>
        control.reports.flatMap(({ edges }) => edges).find(({ connectionsClosed }) => connectionsClosed === 1),
      );
      expect(edge.activeConnections).toBe(0);
    }
  });
});

/** Key and certificate of a server that has nothing to do with the mesh. */
async function tlsMaterial(own: TestCa): Promise<{ key: string; cert: string }> {
  const { WorkloadIdentity } = await import('../../../core/data-plane/tls/workload-identity.ts');
  const identity = new WorkloadIdentity();
  identity.install('1', [await own.sign(await identity.createRequest('1', spiffeIdOfName('db')))], [own.rootPem]);
  const { material } = identity;
  if (material === null) throw new Error('no certificate');
  return { key: material.keyPem, cert: material.chainPem.join('') };
}

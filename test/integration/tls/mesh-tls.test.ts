import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import {
  type ConnectionOptions,
  connect as connectTls,
  createServer as createTlsServer,
  type TLSSocket,
} from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { MeshTls } from '../../../core/data-plane/connection.ts';
import { createUpstreamConnector } from '../../../core/data-plane/tls/upstream-connector.ts';
import type { WorkloadIdentity } from '../../../core/data-plane/tls/workload-identity.ts';
import { meshAlpn } from '../../../core/model/identity.ts';
import { eventually } from '../../support/eventually.ts';
import { certify, identityOf, MeshServer } from '../../support/mesh-tls.ts';
import { TestCa } from '../../support/test-ca.ts';
import { spiffeIdOfName } from '../../support/test-sidecar.ts';

let ca: TestCa;
let web: WorkloadIdentity;
let closers: (() => unknown)[] = [];

beforeEach(async () => {
  ca = await TestCa.create();
  web = await identityOf(ca, 'web');
});

afterEach(async () => {
  for (const close of closers.reverse()) await close();
  closers = [];
});

async function startServer(name = 'orders', options: Parameters<typeof MeshServer.start>[1] = {}, port = 0) {
  const server = await MeshServer.start(await identityOf(ca, name), options, port);
  closers.push(() => server.close());
  return server;
}

/** Dials, sends a byte and waits for its echo: by then the tickets have come. */
function createDialer(identity: WorkloadIdentity) {
  const connector = createUpstreamConnector(identity, 5_000);
  return async (port: number, tls: Partial<MeshTls> = {}) => {
    const mesh = { alpn: meshAlpn.http, spiffeId: spiffeIdOfName('orders'), serverName: 'orders.shop', ...tls };
    const socket = (await connector.connect({ host: '127.0.0.1', port, tls: mesh })) as TLSSocket;
    closers.push(() => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.on('end', () => socket.end());
    socket.write('x');
    // With TLS 1.3 a client hears that its certificate is refused after its own handshake is complete.
    const refused = once(socket, 'close').then(() => Promise.reject(new Error('the server closed the connection')));
    await Promise.race([once(socket, 'data'), refused]);
    refused.catch(() => undefined);
    return { resumed: socket.isSessionReused(), alpn: socket.alpnProtocol, socket };
  };
}

describe('resuming a mesh TLS session', () => {
  it('takes a ticket for the same peer, and both sides know who the other is', async () => {
    const server = await startServer();
    const dial = createDialer(web);
    const resumed = [];
    for (let n = 0; n < 4; n += 1) resumed.push((await dial(server.port)).resumed);
    expect(resumed).toEqual([false, true, true, true]);
    expect(server.accepted.map(({ peerSpiffeId }) => peerSpiffeId)).toEqual(Array(4).fill(spiffeIdOfName('web')));
    expect(server.accepted.map(({ protocol }) => protocol)).toEqual(Array(4).fill('http'));
  });

  it('makes a full handshake, and checks the identity, where another identity is expected', async () => {
    const server = await startServer();
    const dial = createDialer(web);
    await dial(server.port);
    await expect(dial(server.port, { spiffeId: spiffeIdOfName('billing') })).rejects.toThrow(
      `the endpoint is ${spiffeIdOfName('orders')}, expected ${spiffeIdOfName('billing')}`,
    );
    expect((await dial(server.port)).resumed).toBe(true);
  });

  it('does not let another workload that took over the address pass with the ticket of the one before', async () => {
    const server = await startServer();
    const dial = createDialer(web);
    const { port } = server;
    await dial(port);
    await server.close();
    const impostor = await startServer('impostor', {}, port);
    await expect(dial(port)).rejects.toThrow(`the endpoint is ${spiffeIdOfName('impostor')}`);
    expect(impostor.accepted).toHaveLength(0);
  });

  it('does not resume what another protocol was agreed for', async () => {
    const server = await startServer();
    const dial = createDialer(web);
    await dial(server.port);
    const other = await dial(server.port, { alpn: meshAlpn.tcp });
    expect([other.resumed, other.alpn]).toEqual([false, meshAlpn.tcp]);
    expect(server.accepted.map(({ protocol }) => protocol)).toEqual(['http', 'tcp']);
  });

  it('begins anew after the certificate of the client was rotated', async () => {
    const server = await startServer();
    const dial = createDialer(web);
    await dial(server.port);
    await certify(web, ca, 'web');
    expect((await dial(server.port)).resumed).toBe(false);
    expect((await dial(server.port)).resumed).toBe(true);
  });

  it('begins anew after the certificate of the server was rotated', async () => {
    const server = await startServer();
    const dial = createDialer(web);
    await dial(server.port);
    await certify(server.identity, ca, 'orders');
    expect((await dial(server.port)).resumed).toBe(false);
    expect((await dial(server.port)).resumed).toBe(true);
  });

  it('does not carry trust over: a client whose root is trusted no more is refused, ticket or not', async () => {
    const server = await startServer();
    const dial = createDialer(web);
    await dial(server.port);
    const next = await TestCa.create();
    await certify(server.identity, next, 'orders', [next.rootPem]);
    web.trust([ca.rootPem, next.rootPem]);
    await expect(dial(server.port)).rejects.toThrow('the server closed the connection');
    expect(server.accepted).toHaveLength(1);
    expect(server.refused.join()).toMatch(/certificate is not accepted/);
  });

  it('does not carry trust over: a server whose root is trusted no more is refused, ticket or not', async () => {
    const server = await startServer();
    const dial = createDialer(web);
    await dial(server.port);
    const next = await TestCa.create();
    web.trust([next.rootPem]);
    await expect(dial(server.port)).rejects.toThrow(/certificate/);
  });
});

describe('a client that the mesh did not certify', () => {
  /** Connects twice, the second time with the ticket of the first. */
  async function dialTwice(server: MeshServer, options: ConnectionOptions): Promise<boolean[]> {
    const resumed: boolean[] = [];
    let session: Buffer | undefined;
    for (let n = 0; n < 2; n += 1) {
      const socket = connectTls({
        ...options,
        host: '127.0.0.1',
        port: server.port,
        ALPNProtocols: [meshAlpn.http],
        rejectUnauthorized: false,
        ...(session === undefined ? {} : { session }),
      });
      socket.on('error', () => socket.destroy());
      socket.on('session', (ticket: Buffer) => {
        session = ticket;
      });
      socket.once('secureConnect', () => resumed.push(socket.isSessionReused()));
      socket.resume();
      if (!socket.closed) await once(socket, 'close');
    }
    return resumed;
  }

  it('is refused without a certificate, and with a ticket from that refusal', async () => {
    const server = await startServer();
    await dialTwice(server, {});
    expect(server.accepted).toHaveLength(0);
    expect(server.refused).toHaveLength(2);
  });

  it('is refused with a certificate of another root, and with a ticket from that refusal', async () => {
    const server = await startServer();
    const { material } = await identityOf(await TestCa.create(), 'web');
    if (material === null) throw new Error('no certificate');
    await dialTwice(server, { key: material.keyPem, cert: [...material.chainPem] });
    expect(server.accepted).toHaveLength(0);
    expect(server.refused.every((reason) => /certificate is not accepted/.test(reason))).toBe(true);
    expect(server.refused).toHaveLength(2);
  });
});

describe('choosing the protocol', () => {
  const offers = [meshAlpn.mux, meshAlpn.http];

  it('speaks the multiplexed transport when both sides know it', async () => {
    const server = await startServer();
    const { alpn } = await createDialer(web)(server.port, { offers });
    expect(alpn).toBe(meshAlpn.mux);
    expect(server.accepted.map(({ protocol }) => protocol)).toEqual(['mux']);
  });

  it('falls back to HTTP/1.1 with a sidecar that does not know it', async () => {
    const server = await startServer('orders', { protocols: ['http', 'tcp'] });
    const { alpn } = await createDialer(web)(server.port, { offers });
    expect(alpn).toBe(meshAlpn.http);
  });

  it('answers an older client in what it knows', async () => {
    const server = await startServer();
    expect((await createDialer(web)(server.port)).alpn).toBe(meshAlpn.http);
  });

  it('says so when nothing is agreed on', async () => {
    const server = await startServer('orders', { protocols: ['tcp'] });
    await expect(createDialer(web)(server.port, { offers })).rejects.toThrow(/alert|protocol/);
    expect(server.accepted).toHaveLength(0);
  });

  it('takes no peer for a sidecar that agrees to none of our protocols', async () => {
    const identity = await identityOf(ca, 'orders');
    const { material } = identity;
    if (material === null) throw new Error('no certificate');
    const server = createTlsServer({ key: material.keyPem, cert: [...material.chainPem], minVersion: 'TLSv1.3' });
    server.on('secureConnection', (socket) => socket.on('error', () => socket.destroy()));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closers.push(() => server.close());
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    await expect(createDialer(web)(port)).rejects.toThrow(/did not agree to the mesh protocol/);
  });
});

describe('many handshakes', () => {
  async function stall(port: number): Promise<Socket> {
    const socket = connectTcp(port, '127.0.0.1');
    socket.on('error', () => socket.destroy());
    closers.push(() => socket.destroy());
    await once(socket, 'connect');
    return socket;
  }

  it('refuses the newest while those under way are young', async () => {
    const server = await startServer('orders', { maxHandshakes: 3 });
    for (let n = 0; n < 3; n += 1) await stall(server.port);
    await eventually('three handshakes', () => server.openSockets === 3);
    const fourth = await stall(server.port);
    if (!fourth.closed) await once(fourth, 'close');
    expect(server.refused).toEqual(['3 handshakes are under way']);
  });

  it('lets a stalled one go for a client that means it', async () => {
    const server = await startServer('orders', { maxHandshakes: 2 });
    const stalled = await stall(server.port);
    await stall(server.port);
    const dial = createDialer(web);
    await eventually('room', async () => (await dial(server.port)).alpn === meshAlpn.http);
    expect(server.refused.at(-1)).toBe('a stalled handshake made room for another one');
    await eventually('the stalled connection to end', () => stalled.closed);
  });
});

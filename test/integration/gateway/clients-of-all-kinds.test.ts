/** What users send through a gateway over HTTPS: HTTP/2, WebSockets, gRPC, large bodies; slow readers; and a gateway that is killed. */
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { eventually } from '../../support/eventually.ts';
import { GatewayProject, publishedAt } from '../../support/gateway-project.ts';
import { createServingPair, type ServingPair } from '../../support/serving-certificates.ts';
import { ask, closeAll, dialTls, keep, listening } from './clients.ts';

const sizeBytes = 24 * 1024 * 1024;
const servername = 'shop.example.com';

describe('clients of a gateway over HTTPS', () => {
  let project: GatewayProject;
  let pair: ServingPair;
  let port = 0;

  beforeAll(async () => {
    pair = await createServingPair(servername);
    project = await GatewayProject.create([
      {
        service: 'files',
        answer: (request, response) => {
          if (request.method === 'GET') response.end(Buffer.alloc(sizeBytes, 'x'));
          let received = 0;
          request.on('data', (chunk: Buffer) => {
            received += chunk.length;
          });
          request.on('end', () => request.method === 'GET' || response.end(String(received)));
        },
      },
    ]);
    keep(() => project.close());
    const chat = createHttpServer();
    const sockets = new WebSocketServer({ server: chat });
    sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(`echo ${data}`)));
    const rpc = createHttp2Server();
    rpc.on('stream', (stream, headers) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.resume();
      stream.end(`served ${headers[':path']}`);
    });
    const ports = { chat: await listening(chat), carts: await listening(rpc) };
    const entry = (name: string, portName: string, number: number) => `
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: ${name} }
spec: { address: 127.0.0.1, ports: { ${portName}: ${number} }, labels: { app: ${name} } }
`;
    await project.write('others.yaml', entry('chat', 'http', ports.chat) + entry('carts', 'grpc', ports.carts));
    await project.write('secrets/shop.crt', pair.server.chainPem);
    await project.write('secrets/shop.key', pair.server.keyPem);
    const route = (prefix: string, host: string, number: number | undefined) =>
      `    - { match: [{ uri: { prefix: ${prefix} } }], route: [{ destination: { host: ${host}, port: { number: ${number} } } }] }\n`;
    await project.write(
      'gateway.yaml',
      `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: shop }
spec:
  selector: { istio: ingressgateway }
  servers:
    - { port: { number: 443, name: https, protocol: HTTPS }, hosts: [${servername}], tls: { mode: SIMPLE, credentialName: shop } }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: shop }
spec:
  hosts: [${servername}]
  gateways: [shop]
  http:
${route('/chat', 'chat', ports.chat)}${route('/shop.Cart', 'carts', ports.carts)}${route('/', 'files', project.ports.get('files'))}`,
    );
    await project.start(3);
    port = publishedAt(await project.gateway('istio-ingressgateway'), 443);
    await eventually('an answer', () => ask({ port, path: '/', method: 'POST', tls: { servername, ca: pair.caPem } }));
  }, 60_000);

  afterAll(closeAll);

  const overHttp2 = () => {
    const session = connectHttp2(`https://${servername}`, {
      createConnection: () => dialTls(port, { servername, ca: pair.caPem, ALPNProtocols: ['h2', 'http/1.1'] }),
    });
    keep(() => session.destroy());
    return session;
  };

  it('choose HTTP/2 by ALPN, and call gRPC with trailers beside other requests of the same connection', async () => {
    const session = overHttp2();
    const [call, upload] = [
      session.request({
        ':method': 'POST',
        ':path': '/shop.Cart/Add',
        'content-type': 'application/grpc',
        te: 'trailers',
      }),
      session.request({ ':method': 'POST', ':path': '/upload' }),
    ];
    const trailers = once(call, 'trailers');
    call.end();
    upload.end(Buffer.alloc(100_000));
    const texts = await Promise.all(
      [call, upload].map(async (stream) => {
        let text = '';
        for await (const chunk of stream) text += String(chunk);
        return text;
      }),
    );
    expect(texts).toEqual(['served /shop.Cart/Add', '100000']);
    expect((await trailers)[0]).toMatchObject({ 'grpc-status': '0' });
  });

  it('speak WebSocket', async () => {
    const socket = new WebSocket(`wss://127.0.0.1:${port}/chat`, {
      ...{ servername, ca: pair.caPem, headers: { host: servername } },
    });
    keep(() => socket.terminate());
    await once(socket, 'open');
    socket.send('hello');
    expect(String((await once(socket, 'message'))[0])).toBe('echo hello');
    socket.close(1000);
    expect((await once(socket, 'close'))[0]).toBe(1000);
  });

  it('send and receive more than anybody holds, also when they read slowly', async () => {
    const session = overHttp2();
    const upload = session.request({ ':method': 'POST', ':path': '/upload' });
    for (let sent = 0; sent < sizeBytes; sent += 1024 * 1024) {
      if (!upload.write(Buffer.alloc(1024 * 1024))) await once(upload, 'drain');
    }
    upload.end();
    let told = '';
    for await (const chunk of upload) told += String(chunk);
    expect(told).toBe(String(sizeBytes));
    const socket = dialTls(port, { servername, ca: pair.caPem });
    await once(socket, 'secureConnect');
    socket.write(`GET /file HTTP/1.1\r\nhost: ${servername}\r\nconnection: close\r\n\r\n`);
    let received = 0;
    // In small pieces, giving everybody else a turn after each: the sender is far ahead all the time.
    for await (const chunk of socket) {
      received += (chunk as Buffer).length;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(received).toBeGreaterThan(sizeBytes);
    expect((await ask({ port, path: '/up', method: 'POST', tls: { servername, ca: pair.caPem } })).status).toBe(200);
  });

  it.runIf(process.platform === 'linux')('are served again at the same port after the gateway was killed', async () => {
    const pid = listenerOf(port);
    expect(pid).not.toBe(process.pid);
    process.kill(pid, 'SIGKILL');
    const answer = await eventually('an answer of the next one', async () => {
      const next = await ask({ port, path: '/up', method: 'POST', tls: { servername, ca: pair.caPem } });
      return next.status === 200 ? next : null;
    });
    expect(answer.body).toBe('0');
    expect(listenerOf(port)).not.toBe(pid);
    const [gateway] = await project.mesh.client.call('gateway.list', {});
    expect(gateway).toMatchObject({ place: 'process' });
  });
});

/** Process id of who listens at this port of 127.0.0.1, among those that this process may look into. */
function listenerOf(port: number): number {
  const address = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const line = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((text) => text.trim().split(/\s+/))
    .find(([, local, , state]) => local === address && state === '0A');
  const socket = `socket:[${line?.[9]}]`;
  const holds = (pid: string) => {
    try {
      return readdirSync(`/proc/${pid}/fd`).some((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`) === socket);
    } catch {
      return false; // ended, or not ours
    }
  };
  const pid = readdirSync('/proc').find((name) => /^\d+$/.test(name) && holds(name));
  if (pid === undefined) throw new Error(`nobody listens at ${port}`);
  return Number(pid);
}

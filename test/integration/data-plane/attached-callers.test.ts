/** Connections in plaintext that a caller opened before it had a sidecar of its own, at the sidecar of what it calls. */
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import type { Server } from 'node:net';
import { beforeEach, describe, expect, it } from 'vitest';
import type { SidecarConfig } from '../../../core/model/sidecar-config.ts';
import { prepareClosers } from '../../support/closers.ts';
import { eventually } from '../../support/eventually.ts';
import { emptyConfig, freePort, TestSidecar } from '../../support/test-sidecar.ts';

let sidecar: TestSidecar;
let inboundPort: number;
const closers = prepareClosers();

beforeEach(async () => {
  sidecar = await TestSidecar.start({});
  closers.add(() => sidecar.close());
});

const listen = (port: number) => ({ host: '127.0.0.1', port });

async function serve(server: Server): Promise<void> {
  const port = await closers.listening(server);
  inboundPort = await freePort();
  await configure(1, port);
}

let applicationPort = 0;
async function configure(revision: number, port = applicationPort, attachedCallers?: string[]): Promise<void> {
  applicationPort = port;
  const inbound: SidecarConfig['inbound'] = { mtls: 'PERMISSIVE', ports: [] };
  await sidecar.control.push(
    emptyConfig('orders', revision, {
      listeners: {
        kind: 'explicit',
        inbound: [{ listen: listen(inboundPort), target: listen(port), port: 8_080 }],
        outbound: [],
        httpProxy: null,
      },
      inbound: attachedCallers === undefined ? inbound : { ...inbound, attachedCallers },
    }),
  );
}

describe('HTTP/1.1', () => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const ask = async (): Promise<{ connection: string | undefined; from: number | undefined }> => {
    const request = http.get({ ...listen(inboundPort), agent });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    const from = request.socket?.localPort;
    response.resume();
    await once(response, 'end');
    expect(response.statusCode).toBe(200);
    return { connection: response.headers.connection, from };
  };

  it('end with the next answer when the caller is attached; the next connection is kept, whatever comes', async () => {
    await serve(http.createServer((_, response) => response.end('ok')));
    closers.add(() => agent.destroy());
    const first = await ask();
    expect(await ask()).toEqual(first);
    await configure(2, applicationPort, ['10.9.9.9']);
    expect(await ask()).toEqual(first);
    await configure(3, applicationPort, ['10.9.9.9', '127.0.0.1']);
    expect(await ask()).toEqual({ connection: 'close', from: first.from });
    const second = await ask();
    expect(second.from).not.toBe(first.from);
    expect(second.connection).toBe(first.connection);
    await configure(4, applicationPort, ['127.0.0.1']);
    expect(await ask()).toEqual(second);
  });

  it('end again when the caller was detached and is attached again', async () => {
    await serve(http.createServer((_, response) => response.end('ok')));
    closers.add(() => agent.destroy());
    await configure(2, applicationPort, ['127.0.0.1']);
    const first = await ask();
    await configure(3);
    expect(await ask()).toEqual(first);
    await configure(4, applicationPort, ['127.0.0.1']);
    expect(await ask()).toEqual({ connection: 'close', from: first.from });
  });
});

describe('HTTP/2', () => {
  it('are told to go while requests under way are answered', async () => {
    const held: http2.ServerHttp2Stream[] = [];
    const server = http2.createServer();
    server.on('stream', (stream) => held.push(stream));
    await serve(server);
    const session = http2.connect(`http://127.0.0.1:${inboundPort}`);
    closers.add(() => session.destroy());
    const gone = once(session, 'goaway');
    const request = session.request({ ':path': '/' });
    const answered = once(request, 'response');
    await eventually('the request at the application', () => held.length === 1);
    await configure(2, applicationPort, ['127.0.0.1']);
    expect((await gone)[0]).toBe(http2.constants.NGHTTP2_NO_ERROR);
    held[0]?.respond({ ':status': 200 });
    held[0]?.end('ok');
    const [headers] = (await answered) as [http2.IncomingHttpHeaders];
    expect(headers[':status']).toBe(200);
    request.resume();
    await once(session, 'close');
  });
});

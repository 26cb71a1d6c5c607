import { once } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  request as requestHttp1,
  type Server,
  type ServerResponse,
} from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { HttpAction } from '../../core/data-plane/faults/injection-set.ts';
import type { InjectionConfig } from '../../core/model/injection-config.ts';
import type { HttpRoute } from '../../core/model/sidecar-config.ts';
import { type SidecarPair, startSidecarPair } from './declared-pair.ts';
import { switchedOn } from './switched-on.ts';

/** A switched-on fault of requests to `shop.shop`. */
export const httpFault = (action: HttpAction, changes: Partial<InjectionConfig> = {}) =>
  switchedOn('shop.shop', action, changes);

export const abort = (httpStatus: number, more: Partial<Extract<HttpAction, { kind: 'abort' }>> = {}) =>
  ({ kind: 'abort', httpStatus, grpcStatus: null, headers: {}, body: '', ...more }) as const;

export const fixedDelay = (ms: number) => ({ kind: 'delay', delay: { kind: 'fixed', ms } }) as const;

export interface Reply {
  /** 0: no answer came. */
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
  /** `null`: the answer came to its end. */
  readonly error: string | null;
  readonly ms: number;
}

export interface Asked {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export type Protocol = 'HTTP/1.1' | 'HTTP/2';

/**
 * client -> sidecar of `web` -> sidecar of `shop` -> an application of HTTP/1.1 that answers `hello world` (`/`), the same in
 * chunks (`/chunked`), so many octets (`/bytes/1000`), the request's headers (`/headers`), something compressed (`/gzip`).
 */
export class FaultShop {
  readonly pair: SidecarPair;
  readonly #server: Server;
  /** Targets of the requests that came to the application. */
  readonly asked: string[];

  private constructor(pair: SidecarPair, server: Server, asked: string[]) {
    this.pair = pair;
    this.#server = server;
    this.asked = asked;
  }

  static async start(options: { mesh?: boolean } = {}): Promise<FaultShop> {
    const asked: string[] = [];
    const server = createServer((incoming, response) => {
      asked.push(incoming.url ?? '');
      void answer(incoming, response);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    return new FaultShop(await startSidecarPair([port], { protocol: 'http', ...options }), server, asked);
  }

  /** Only these faults from now on; `routes`: those of the service, as they were otherwise. */
  inject(injections: readonly InjectionConfig[], routes?: readonly HttpRoute[]): Promise<void> {
    return this.pair.change((config) => ({
      ...config,
      injections: [...injections],
      services: config.services.map((one) => (routes === undefined ? one : { ...one, routes: [...routes] })),
    }));
  }

  ask(protocol: Protocol, asked: Asked = {}): Promise<Reply> {
    return protocol === 'HTTP/1.1' ? askHttp1(this.pair.port, asked) : askHttp2(this.pair.port, asked);
  }

  async close(): Promise<void> {
    await this.pair.close();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

async function answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  let body = '';
  for await (const part of incoming) body += part;
  const url = incoming.url ?? '';
  const [, size] = /^\/bytes\/(\d+)/.exec(url) ?? [];
  response.setHeader('x-application', 'shop');
  if (url === '/chunked') {
    response.write('hello ');
    response.end('world');
  } else if (url === '/headers') {
    response.end(JSON.stringify(incoming.headers));
  } else if (url === '/echo') {
    response.end(body);
  } else if (url === '/gzip') {
    response.setHeader('content-encoding', 'gzip');
    response.end('hello world');
  } else {
    const text = size === undefined ? 'hello world' : 'a'.repeat(Number(size));
    response.setHeader('content-length', text.length);
    response.end(text);
  }
}

function askHttp1(port: number, { path = '/', method = 'GET', headers = {}, body }: Asked): Promise<Reply> {
  const beganMs = performance.now();
  return new Promise((resolve) => {
    const reply = { status: 0, headers: {}, body: '' };
    const settle = (error: string | null) => resolve({ ...reply, error, ms: performance.now() - beganMs });
    const asked = requestHttp1(
      { host: '127.0.0.1', port, path, method, agent: false, headers: { host: 'shop', ...headers } },
      (response) => {
        reply.status = response.statusCode ?? 0;
        reply.headers = response.headers;
        response.setEncoding('latin1');
        response.on('data', (text: string) => {
          reply.body += text;
        });
        response.on('error', (error) => settle(error.message));
        response.on('end', () => settle(null));
      },
    );
    asked.on('error', (error) => settle(error.message));
    asked.end(body);
  });
}

function askHttp2(port: number, { path = '/', method = 'GET', headers = {}, body }: Asked): Promise<Reply> {
  const beganMs = performance.now();
  const client = connectHttp2(`http://127.0.0.1:${port}`);
  return new Promise((resolve) => {
    const reply = { status: 0, headers: {}, body: '' };
    const settle = (error: string | null) => {
      client.destroy();
      resolve({ ...reply, error, ms: performance.now() - beganMs });
    };
    client.on('error', (error) => settle(error.message));
    const stream = client.request(
      { ':path': path, ':method': method, ':authority': 'shop', ...headers },
      { endStream: body === undefined },
    );
    stream.on('response', (received) => {
      reply.status = received[':status'] ?? 0;
      reply.headers = received;
    });
    stream.setEncoding('latin1');
    stream.on('data', (text: string) => {
      reply.body += text;
    });
    stream.on('error', (error) => settle(error.message));
    stream.on('end', () => settle(stream.rstCode === 0 ? null : `code ${stream.rstCode}`));
    if (body !== undefined) stream.end(body);
  });
}

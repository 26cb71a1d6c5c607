import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, type RequestListener, request, type Server } from 'node:http';
import type { AddressInfo, Server as NetServer } from 'node:net';
import type { ServiceConfig, SidecarConfig } from '../../core/model/sidecar-config.ts';
import type { ClusterPolicy } from '../../core/model/traffic-config.ts';
import { emptyConfig, freePort, serviceOf, TestSidecar } from './test-sidecar.ts';

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: IncomingMessage['headers'];
}

const servicePort = 8_080;

/** A sidecar whose application calls one service, `orders`, under a traffic policy; one connection at a time. */
export class PolicySidecar {
  readonly sidecar: TestSidecar;
  readonly outboundPort: number;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  #revision = 1;

  private constructor(sidecar: TestSidecar, outboundPort: number) {
    this.sidecar = sidecar;
    this.outboundPort = outboundPort;
  }

  static async start(): Promise<PolicySidecar> {
    return new PolicySidecar(await TestSidecar.start(), await freePort());
  }

  /** @param ports of loopback, an endpoint each: `orders-0`, `orders-1` ... */
  async configure(
    ports: readonly number[],
    policy: ClusterPolicy,
    service: Partial<ServiceConfig> = {},
    config: Partial<SidecarConfig> = {},
  ): Promise<void> {
    this.#revision += 1;
    const outbound = [
      { listen: { host: '127.0.0.1', port: this.outboundPort }, service: 'orders.shop', port: servicePort },
    ];
    const endpoints = ports.map((targetPort) => ({ ports: [{ port: servicePort, targetPort }] }));
    const answer = await this.sidecar.control.push(
      emptyConfig('test', this.#revision, {
        listeners: { kind: 'explicit', inbound: [], outbound, httpProxy: null },
        services: [
          {
            ...serviceOf('orders', servicePort, endpoints, 'http'),
            policies: [{ subset: null, port: null, policy }],
            ...service,
          },
        ],
        ...config,
      }),
    );
    if (answer.type === 'nack') throw new Error(answer.message);
  }

  get(path = '/', headers: Record<string, string> = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port: this.outboundPort, path, agent: this.#agent, headers };
      const sent = request(options, (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('error', reject);
        response.on('end', () => {
          const { statusCode: status = 0, headers: own } = response;
          resolve({ status, body: Buffer.concat(parts).toString(), headers: own });
        });
      });
      sent.on('error', reject).end();
    });
  }

  async close(): Promise<void> {
    this.#agent.destroy();
    await this.sidecar.close();
  }
}

export interface Origin<T extends NetServer> {
  readonly server: T;
  readonly port: number;
  /** Accepted connections. */
  connections: number;
  open: number;
  close(): Promise<void>;
}

/** Makes a server listen on loopback, and counts its connections. */
export async function startOrigin<T extends NetServer>(server: T): Promise<Origin<T>> {
  const sockets = new Set<{ destroy(): unknown }>();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin: Origin<T> = {
    server,
    port: (server.address() as AddressInfo).port,
    connections: 0,
    open: 0,
    async close() {
      for (const socket of sockets) socket.destroy();
      if (!server.listening) return;
      server.close();
      await once(server, 'close');
    },
  };
  server.on('connection', (socket) => {
    origin.connections += 1;
    origin.open += 1;
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => {
      origin.open -= 1;
      sockets.delete(socket);
    });
  });
  return origin;
}

export function startHttpOrigin(listener: RequestListener): Promise<Origin<Server>> {
  const server = createServer(listener);
  server.keepAliveTimeout = 60_000;
  return startOrigin(server);
}

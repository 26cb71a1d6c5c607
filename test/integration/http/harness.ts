/**
 * A handler between real sockets: a listener that hands accepted connections to it, an upstream that is scripted or
 * recorded byte by byte, a connector that dials, and telemetry that remembers.
 */
import { once } from 'node:events';
import net from 'node:net';
import type {
  DownstreamContext,
  EdgeRecorder,
  TelemetrySink,
  UpstreamConnector,
  UpstreamTarget,
} from '../../../core/data-plane/connection.ts';
import { UpstreamError } from '../../../core/data-plane/connection.ts';
import { type CompiledConfig, compileConfig } from '../../../core/data-plane/http/compiled-config.ts';
import { createHttpHandler, type HttpHandler } from '../../../core/data-plane/http/http-handler.ts';
import type { Endpoint, ServiceConfig, SidecarConfig } from '../../../core/model/sidecar-config.ts';
import type { EdgeKey } from '../../../core/model/telemetry-report.ts';
import { createSeededRandom } from '../../../core/shared/random.ts';

export interface RecordedRequest {
  readonly key: EdgeKey;
  readonly status: number;
  readonly flags: string;
  readonly durationUs: number;
}

/** Telemetry that keeps everything. */
export class MemoryTelemetry implements TelemetrySink {
  readonly requests: RecordedRequest[] = [];
  readonly samples: Parameters<TelemetrySink['sample']>[0][] = [];
  readonly faults: { id: string; hit: boolean }[] = [];
  readonly bytes = { sent: 0, received: 0 };
  readonly connections = { opened: 0, closed: 0 };

  edge(key: EdgeKey): EdgeRecorder {
    return {
      connectionOpened: () => {
        this.connections.opened += 1;
      },
      connectionClosed: () => {
        this.connections.closed += 1;
      },
      bytes: (sent, received) => {
        this.bytes.sent += sent;
        this.bytes.received += received;
      },
      request: (status, flags, durationUs) => {
        this.requests.push({ key, status, flags, durationUs });
      },
    };
  }

  faultSeen(id: string, hit: boolean): void {
    this.faults.push({ id, hit });
  }

  wantsSample(): boolean {
    return true;
  }

  sample(sample: Parameters<TelemetrySink['sample']>[0]): void {
    this.samples.push(sample);
  }
}

/** Plain TCP whatever the target asks for; the targets asked for are kept. */
export class PlainConnector implements UpstreamConnector {
  generation = 0;
  readonly targets: UpstreamTarget[] = [];
  readonly sockets: net.Socket[] = [];

  async connect(target: UpstreamTarget, signal?: AbortSignal): Promise<net.Socket> {
    this.targets.push(target);
    const socket = net.connect({ host: target.host, port: target.port, ...(signal === undefined ? {} : { signal }) });
    this.sockets.push(socket);
    try {
      await once(socket, 'connect');
    } catch (cause) {
      throw new UpstreamError({ kind: 'refused', message: `connect ${target.host}:${target.port} refused` }, { cause });
    }
    return socket;
  }
}

export function endpoint(id: string, port: number, extra: Partial<Endpoint> = {}): Endpoint {
  const spiffeId = `spiffe://cluster.local/ns/shop/sa/${id}`;
  const ports = [{ port: 80, targetPort: port }];
  return { id, name: id, address: '127.0.0.1', ports, version: null, hosts: [], mesh: false, spiffeId, ...extra };
}

export function service(
  name: string,
  endpoints: readonly Endpoint[],
  extra: Partial<ServiceConfig> = {},
): ServiceConfig {
  return {
    key: `${name}.shop`,
    name,
    namespace: 'shop',
    hosts: [name, `${name}.shop`],
    ports: [{ port: 80, protocol: 'http' }],
    subsets: [],
    routes: [],
    endpoints: [...endpoints],
    ...extra,
  };
}

export function sidecarConfig(services: readonly ServiceConfig[], extra: Partial<SidecarConfig> = {}): SidecarConfig {
  return {
    formatVersion: 1,
    revision: 1,
    workload: {
      id: 'web-1',
      name: 'web-1',
      service: 'web',
      namespace: 'shop',
      version: null,
      spiffeId: 'spiffe://cluster.local/ns/shop/sa/web',
    },
    trustDomain: 'cluster.local',
    listeners: { kind: 'transparent', outboundPort: 15001, inboundPort: 15006 },
    inbound: { mtls: 'PERMISSIVE', ports: [] },
    services: [...services],
    faults: [],
    ...extra,
  };
}

export interface TestProxy {
  readonly port: number;
  readonly handler: HttpHandler;
  readonly telemetry: MemoryTelemetry;
  readonly connector: PlainConnector;
  /** Accepted connections. */
  readonly clients: readonly net.Socket[];
  configure(config: SidecarConfig): void;
  /** Lets the monotonic clock jump. */
  advance(ms: number): void;
  close(): Promise<void>;
}

export interface ProxyOptions {
  readonly config: SidecarConfig;
  readonly context?: Partial<DownstreamContext>;
  readonly faultsAllowed?: () => boolean;
  readonly drainGraceMs?: number;
  readonly lingerMs?: number;
}

export async function startProxy(options: ProxyOptions): Promise<TestProxy> {
  let skippedMs = 0;
  let compiled: CompiledConfig = compileConfig(options.config);
  const telemetry = new MemoryTelemetry();
  const connector = new PlainConnector();
  const handler = createHttpHandler({
    config: () => compiled,
    connector,
    telemetry,
    clock: { nowMs: () => Date.now(), monotonicMs: () => performance.now() + skippedMs },
    random: createSeededRandom(7),
    faultsAllowed: options.faultsAllowed ?? (() => true),
    drainGraceMs: options.drainGraceMs ?? 200,
    lingerMs: options.lingerMs ?? 200,
  });
  const clients: net.Socket[] = [];
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    clients.push(socket);
    handler.serve(socket, Buffer.alloc(0), {
      direction: 'outbound',
      originalDestination: { host: '10.255.0.1', port: 80 },
      remote: { host: '127.0.0.1', port: socket.remotePort ?? 0 },
      service: null,
      target: null,
      forwardProxy: false,
      peerSpiffeId: null,
      ...options.context,
    });
  });
  return {
    port: await listen(server),
    handler,
    telemetry,
    connector,
    clients,
    configure: (config) => {
      compiled = compileConfig(config, compiled);
    },
    advance: (ms) => {
      skippedMs += ms;
    },
    close: async () => {
      handler.closeAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export async function listen(server: net.Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return address.port;
}

/** Waits for a condition; throws with its text after the deadline. */
export async function until(condition: () => boolean, what: string, deadlineMs = 30_000): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not reached: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A connection whose bytes are kept as they arrive. */
export class RawConnection {
  readonly socket: net.Socket;
  received = '';
  ended = false;
  closed = false;
  failed = false;

  constructor(socket: net.Socket) {
    this.socket = socket;
    socket.setEncoding('latin1');
    socket.setNoDelay(true);
    socket.on('data', (text: string) => {
      this.received += text;
    });
    socket.on('end', () => {
      this.ended = true;
    });
    socket.on('error', () => {
      this.failed = true;
    });
    socket.on('close', () => {
      this.closed = true;
    });
  }

  static async open(port: number): Promise<RawConnection> {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    await once(socket, 'connect');
    return new RawConnection(socket);
  }

  send(text: string): void {
    this.socket.write(text, 'latin1');
  }

  async until(test: (received: string) => boolean): Promise<string> {
    await until(() => test(this.received), `bytes; received so far: ${JSON.stringify(this.received.slice(-300))}`);
    return this.received;
  }

  async end(): Promise<string> {
    await until(() => this.ended || this.closed, `the end; received: ${JSON.stringify(this.received.slice(-300))}`);
    return this.received;
  }
}

/** An upstream that answers nothing by itself: a test reads what arrived and writes what it likes. */
export class RawUpstream {
  readonly connections: RawConnection[] = [];
  readonly #server: net.Server;
  port = 0;

  constructor(onConnection?: (connection: RawConnection) => void) {
    this.#server = net.createServer({ allowHalfOpen: true }, (socket) => {
      const connection = new RawConnection(socket);
      this.connections.push(connection);
      onConnection?.(connection);
    });
  }

  async start(): Promise<this> {
    this.port = await listen(this.#server);
    return this;
  }

  async connection(index: number): Promise<RawConnection> {
    await until(() => this.connections.length > index, `upstream connection ${index}`);
    const connection = this.connections[index];
    if (connection === undefined) throw new Error('unreachable');
    return connection;
  }

  async close(): Promise<void> {
    for (const { socket } of this.connections) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

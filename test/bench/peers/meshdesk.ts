import { join } from 'node:path';
import { SidecarProcess } from '../../../core/control-plane/runtime/process/sidecar-process.ts';
import { defaultLeaseMs } from '../../../core/model/control-stream.ts';
import type { SidecarConfig } from '../../../core/model/sidecar-config.ts';
import { silentLogger } from '../../../core/shared/logger.ts';
import { ControlClient } from '../../support/control-client.ts';
import { TestCa } from '../../support/test-ca.ts';
import { emptyConfig, freePort, serviceOf, spiffeIdOfName } from '../../support/test-sidecar.ts';
import { pinProcess, proxyCore } from '../machine/pinned-process.ts';
import type { Peer, PeerContext, Role, RunningPeer } from './peer.ts';

const servicePort = 8080;
/** What the product ships. */
const shipped = join(process.cwd(), 'dist', 'sidecar', 'sidecar.mjs');
/** The same source with recording replaced by functions that do nothing (silent-telemetry.ts). */
const silent = join(process.cwd(), '.build', 'bench', 'sidecar-silent.mjs');
const profiled = join(process.cwd(), '.build', 'bench', 'profiled-sidecar.mjs');
const programFor = ({ profile = false }: PeerContext) => (profile ? profiled : shipped);
type Change = (config: SidecarConfig) => SidecarConfig;

/** One sidecar as the product runs it: its bundle, its flags, its control stream, telemetry every second. */
class BenchSidecar {
  readonly #process: SidecarProcess;
  readonly #control: ControlClient;

  private constructor(process: SidecarProcess, control: ControlClient) {
    this.#process = process;
    this.#control = control;
  }

  static async start(
    name: string,
    dir: string,
    ca: TestCa,
    config: SidecarConfig,
    program = shipped,
  ): Promise<BenchSidecar> {
    const onRestart = (message: string) => {
      throw new Error(`${message} It said: ${sidecar.output.tail(10)}`);
    };
    const sidecar: SidecarProcess = new SidecarProcess({
      name,
      program,
      dir: join(dir, name),
      log: silentLogger,
      joins: false,
      onRestart,
    });
    await sidecar.start();
    pinProcess(proxyCore, sidecar.pid ?? 0);
    (await sidecar.connect()).destroy();
    const control = await ControlClient.open(sidecar.socketPath);
    await control.hello(defaultLeaseMs);
    control.startHeartbeats(defaultLeaseMs / 3);
    await control.issue(ca, spiffeIdOfName(name));
    const answer = await control.push(config);
    if (answer.type === 'nack') throw new Error(`${name} refused its configuration: ${answer.message}`);
    pinProcess(proxyCore, sidecar.pid ?? 0);
    return new BenchSidecar(sidecar, control);
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  async close(): Promise<void> {
    this.#control.close();
    await this.#process.remove();
  }
}

/** The outbound side: a listener that stands for the service, as a host process gets it. */
function toClientConfig(
  port: number,
  endpoint: Parameters<typeof serviceOf>[2][number],
  protocol: 'auto' | 'tcp' = 'auto',
): SidecarConfig {
  const outbound = [{ listen: { host: '127.0.0.1', port }, service: 'server.shop', port: servicePort }];
  return emptyConfig('client', 1, {
    listeners: { kind: 'explicit', inbound: [], outbound, httpProxy: null },
    services: [serviceOf('server', servicePort, [endpoint], protocol)],
  });
}

interface HopOptions {
  readonly protocol?: 'auto' | 'tcp';
  readonly change?: Change;
  readonly program?: string;
}

async function startHop(context: PeerContext, options: HopOptions = {}): Promise<RunningPeer> {
  const { upstreamPort, dir } = context;
  const { protocol = 'auto', change = (config) => config, program = programFor(context) } = options;
  const port = await freePort();
  const endpoint = { ports: [{ port: servicePort, targetPort: upstreamPort }] };
  const config = change(toClientConfig(port, endpoint, protocol));
  const client = await BenchSidecar.start('client', dir, await TestCa.create(), config, program);
  return { port, pids: [client.pid], close: () => client.close() };
}

async function startPair(context: PeerContext, protocol: 'auto' | 'tcp' = 'auto'): Promise<RunningPeer> {
  const { upstreamPort, dir } = context;
  const program = programFor(context);
  const ca = await TestCa.create();
  const [port, inboundPort] = [await freePort(), await freePort()];
  const inbound = [
    {
      listen: { host: '127.0.0.1', port: inboundPort },
      target: { host: '127.0.0.1', port: upstreamPort },
      port: servicePort,
    },
  ];
  const server = await BenchSidecar.start(
    'server',
    dir,
    ca,
    emptyConfig('server', 1, {
      listeners: { kind: 'explicit', inbound, outbound: [], httpProxy: null },
      inbound: {
        mtls: 'STRICT',
        ports: protocol === 'auto' ? [] : [{ port: servicePort, protocol, mtls: 'STRICT' }],
      },
    }),
    program,
  );
  const endpoint = { ports: [{ port: servicePort, targetPort: inboundPort }], mesh: true };
  const client = await BenchSidecar.start('client', dir, ca, toClientConfig(port, endpoint, protocol), program);
  return {
    port,
    pids: [client.pid, server.pid],
    close: async () => {
      await client.close();
      await server.close();
    },
  };
}

export const meshdesk: Peer = {
  name: 'meshdesk',
  roles: ['hop', 'retry', 'pair', 'tcp', 'tcp-pair', 'grpc'],
  absent: () => null,
  start: (role: Role, context) => {
    if (role === 'hop') return startHop(context);
    if (role === 'retry') return startHop(context, { change: withRetries });
    if (role === 'tcp') return startHop(context, { protocol: 'tcp' });
    return startPair(context, role === 'tcp-pair' ? 'tcp' : 'auto');
  },
};

/** Every answer is looked at, and 503 tried again. */
const withRetries: Change = (config) => {
  const destinations = [{ service: 'server.shop', subset: null, port: null, weight: 100 }];
  const retries = { attempts: 3, retryOn: '5xx', perTryTimeoutMs: null, backoffBaseMs: 25, avoidPreviousHosts: false };
  const route = { name: 'all', match: [], destinations, timeoutMs: null, retries };
  return { ...config, services: config.services.map((service) => ({ ...service, routes: [route] })) };
};

/** A fault that applies to every request and hits none. */
const withIdleFault: Change = (config) => ({
  ...config,
  faults: [
    {
      id: 'never',
      service: 'server.shop',
      route: null,
      action: { kind: 'abort', httpStatus: 503 },
      percent: 0,
      seed: 1,
      expiresAtMs: null,
    },
  ],
});

/** 100 routes by header, none of which matches, before the one that does. */
const withRoutes: Change = (config) => {
  const destinations = [{ service: 'server.shop', subset: null, port: null, weight: 100 }];
  const routes = Array.from({ length: 100 }, (_, index) => ({
    name: `tenant-${index}`,
    match: [{ headers: { 'x-tenant': { exact: `tenant-${index}` } } }],
    destinations,
    timeoutMs: null,
  }));
  const last = { name: 'rest', match: [], destinations, timeoutMs: null };
  return { ...config, services: config.services.map((service) => ({ ...service, routes: [...routes, last] })) };
};

const toVariant = (name: string, options: HopOptions): Peer => ({
  name,
  roles: ['hop'],
  absent: () => null,
  start: (_role, context) => startHop(context, options),
});

/** The hop with one more thing configured, and without its counters. */
export const meshdeskVariants: readonly Peer[] = [
  toVariant('meshdesk', {}),
  toVariant('fault-0-percent', { change: withIdleFault }),
  toVariant('routes-100', { change: withRoutes }),
  toVariant('telemetry-off', { program: silent }),
];

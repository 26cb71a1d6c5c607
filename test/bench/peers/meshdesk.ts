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

/** One sidecar as the product runs it: its bundle, its flags, its control stream, telemetry every second. */
class BenchSidecar {
  readonly #process: SidecarProcess;
  readonly #control: ControlClient;

  private constructor(process: SidecarProcess, control: ControlClient) {
    this.#process = process;
    this.#control = control;
  }

  static async start(name: string, dir: string, ca: TestCa, config: SidecarConfig): Promise<BenchSidecar> {
    const program = join(process.cwd(), 'dist', 'sidecar', 'sidecar.mjs');
    const onRestart = (message: string) => {
      throw new Error(message);
    };
    const sidecar = new SidecarProcess({ name, program, dir: join(dir, name), log: silentLogger, onRestart });
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

async function startHop({ upstreamPort, dir }: PeerContext, protocol: 'auto' | 'tcp'): Promise<RunningPeer> {
  const port = await freePort();
  const endpoint = { ports: [{ port: servicePort, targetPort: upstreamPort }] };
  const client = await BenchSidecar.start(
    'client',
    dir,
    await TestCa.create(),
    toClientConfig(port, endpoint, protocol),
  );
  return { port, pids: [client.pid], close: () => client.close() };
}

async function startPair({ upstreamPort, dir }: PeerContext): Promise<RunningPeer> {
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
      inbound: { mtls: 'STRICT', ports: [] },
    }),
  );
  const endpoint = { ports: [{ port: servicePort, targetPort: inboundPort }], mesh: true };
  const client = await BenchSidecar.start('client', dir, ca, toClientConfig(port, endpoint));
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
  roles: ['hop', 'pair', 'tcp', 'grpc'],
  absent: () => null,
  start: (role: Role, context) => {
    if (role === 'hop') return startHop(context, 'auto');
    return role === 'tcp' ? startHop(context, 'tcp') : startPair(context);
  },
};

import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningSidecar, startSidecar } from '../../core/data-plane/sidecar.ts';
import { toSpiffeId } from '../../core/model/identity.ts';
import type { Endpoint, ServiceConfig, SidecarConfig } from '../../core/model/sidecar-config.ts';
import { ControlClient } from './control-client.ts';
import type { TestCa } from './test-ca.ts';

export const spiffeIdOfName = (name: string) => toSpiffeId('cluster.local', 'shop', name);

/** A port of 127.0.0.1 that nobody listens on just now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** A configuration with nothing in it, for the workload `name` of namespace `shop`. */
export function emptyConfig(name: string, revision: number, changes: Partial<SidecarConfig> = {}): SidecarConfig {
  return {
    formatVersion: 1,
    revision,
    workload: { id: name, name, service: name, namespace: 'shop', version: null, spiffeId: spiffeIdOfName(name) },
    trustDomain: 'cluster.local',
    listeners: { kind: 'explicit', inbound: [], outbound: [], httpProxy: null },
    inbound: { mtls: 'PERMISSIVE', ports: [] },
    services: [],
    faults: [],
    ...changes,
  };
}

export function serviceOf(
  name: string,
  port: number,
  endpoints: Partial<Endpoint>[],
  protocol: 'auto' | 'http' | 'tcp' = 'auto',
): ServiceConfig {
  return {
    key: `${name}.shop`,
    name,
    namespace: 'shop',
    hosts: [name, `${name}.shop`],
    ports: [{ port, protocol }],
    subsets: [],
    routes: [],
    endpoints: endpoints.map((endpoint, index) => ({
      id: `${name}-${index}`,
      name: `${name}-${index}`,
      address: '127.0.0.1',
      ports: [],
      version: null,
      hosts: [],
      mesh: false,
      spiffeId: spiffeIdOfName(name),
      ...endpoint,
    })),
  };
}

/** A sidecar of this process, with its control stream open and greeted. */
export class TestSidecar {
  readonly socketPath: string;
  control: ControlClient;
  readonly log: string[];
  #running: RunningSidecar;
  readonly #dir: string;

  private constructor(dir: string, running: RunningSidecar, control: ControlClient, log: string[]) {
    this.#dir = dir;
    this.socketPath = join(dir, 'sidecar.sock');
    this.#running = running;
    this.control = control;
    this.log = log;
  }

  static async start(
    options: { ca?: TestCa; name?: string; leaseMs?: number; dir?: string; sharePorts?: boolean } = {},
  ): Promise<TestSidecar> {
    const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'sidecar-')));
    const log: string[] = [];
    const running = await run(dir, log, options.sharePorts);
    const control = await ControlClient.open(join(dir, 'sidecar.sock'));
    await control.hello(options.leaseMs);
    if (options.ca) await control.issue(options.ca, spiffeIdOfName(options.name ?? 'test'));
    return new TestSidecar(dir, running, control, log);
  }

  /** Ends the sidecar and starts it again with the same files; the control stream stays closed until `reconnect`. */
  async restart(): Promise<void> {
    this.control.close();
    await this.#running.close();
    this.#running = await run(this.#dir, this.log);
  }

  async reconnect(leaseMs?: number) {
    this.control.close();
    this.control = await ControlClient.open(this.socketPath);
    return this.control.hello(leaseMs);
  }

  async close(): Promise<void> {
    this.control.close();
    await this.#running.close();
    await rm(this.#dir, { recursive: true, force: true });
  }
}

function run(dir: string, log: string[], sharePorts = false): Promise<RunningSidecar> {
  return startSidecar({
    sharePorts,
    socketPath: join(dir, 'sidecar.sock'),
    statePath: join(dir, 'sidecar.sock.state'),
    logLevel: 'info',
    writeLog: (line) => log.push(line),
    program: 'test',
  });
}

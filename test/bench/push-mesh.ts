import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Publisher } from '../../core/control-plane/mesh/publisher.ts';
import { SidecarLink } from '../../core/control-plane/push/sidecar-link.ts';
import { systemClock } from '../../core/control-plane/system-clock.ts';
import type { Resource } from '../../core/model/resource.ts';
import { silentLogger } from '../../core/shared/logger.ts';
import type { SnapshotWorkload } from '../../core/snapshot/snapshot.ts';
import { toSplitResources } from '../../core/snapshot/split.ts';
import { fakeWorkload } from '../support/fake-runtime.ts';

const perSubnet = 250;
const listeners = { kind: 'transparent', outboundPort: 15_001, inboundPort: 15_006 } as const;

/** From one change to the acknowledgements of all that it concerns. */
export interface PushFigures {
  readonly sidecars: number;
  readonly compileMs: number;
  /** Time of each acknowledgement since the change was made, ascending. */
  readonly ackMs: readonly number[];
  readonly bytes: number;
}

/** Services in two versions on one network, each with a split, and the publisher and real control streams of them all. */
export class PushMesh {
  readonly #workloads: SnapshotWorkload[];
  readonly #resources: Resource[];
  readonly #links = new Map<string, SidecarLink>();
  readonly #sockets: Socket[] = [];
  readonly #publisher: Publisher;
  #child: ChildProcess | null = null;
  #folder = '';
  #acks: { startedAt: number; times: number[] } = { startedAt: 0, times: [] };

  constructor(services: number, perService: number) {
    this.#workloads = Array.from({ length: services * perService }, (_, index) => toWorkload(index, perService));
    this.#resources = Array.from({ length: services }, (_, index) => toSplit(index, 10)).flat();
    this.#publisher = new Publisher({
      input: () => ({
        trustDomain: 'cluster.local',
        rootNamespace: 'istio-system',
        resources: this.#resources,
        workloads: this.#workloads,
        faults: [],
      }),
      links: () => this.#links,
      clock: systemClock,
      onPublished: () => undefined,
    });
  }

  async start(): Promise<void> {
    this.#folder = await mkdtemp(join(tmpdir(), 'bench-push-'));
    const path = join(this.#folder, 's');
    const program = join(dirname(fileURLToPath(import.meta.url)), 'push-receivers.mjs');
    this.#child = spawn(process.execPath, [program], {
      env: { ...process.env, SOCKET: path },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    if (this.#child.stdout !== null) await once(this.#child.stdout, 'data');
    for (const { discovered } of this.#workloads) this.#links.set(discovered.id, this.#toLink(discovered.name, path));
    const waiting = [...this.#links.values()];
    for (let at = 0; at < waiting.length; at += 50)
      await Promise.all(waiting.slice(at, at + 50).map((link) => link.open()));
  }

  /** The first push, of everything to everybody. */
  first(): Promise<PushFigures> {
    return this.#publish();
  }

  /** One weight of one service's route. */
  editRoute(weight: number): Promise<PushFigures> {
    const [service, ...rules] = toSplit(0, weight);
    this.#resources.splice(0, rules.length + 1, ...(service === undefined ? [] : [service]), ...rules);
    return this.#publish();
  }

  /** One workload comes back with another address. */
  changeEndpoint(last: number): Promise<PushFigures> {
    const [first] = this.#workloads;
    if (first === undefined) throw new Error('there are no workloads');
    const addresses = first.discovered.addresses.map((address) => ({ ...address, ip: `10.9.0.${last}` }));
    this.#workloads[0] = { ...first, discovered: { ...first.discovered, addresses } };
    return this.#publish();
  }

  async close(): Promise<void> {
    this.#publisher.close();
    for (const link of this.#links.values()) link.close();
    const child = this.#child;
    if (child !== null) {
      const exited = once(child, 'exit');
      child.stdin?.end();
      await exited;
    }
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #publish(): Promise<PushFigures> {
    const before = this.#written();
    this.#acks = { startedAt: performance.now(), times: [] };
    this.#publisher.publish();
    const compileMs = performance.now() - this.#acks.startedAt;
    const late = await this.#publisher.waitForAcks(120_000);
    if (late.length > 0) throw new Error(`${late.length} sidecars did not acknowledge`);
    const ackMs = [...this.#acks.times].sort((a, b) => a - b);
    return { sidecars: this.#links.size, compileMs, ackMs, bytes: this.#written() - before };
  }

  #written(): number {
    return this.#sockets.reduce((sum, socket) => sum + socket.bytesWritten, 0);
  }

  #toLink(name: string, path: string): SidecarLink {
    return new SidecarLink({
      name,
      connect: async () => {
        const socket = connect(path);
        await once(socket, 'connect');
        this.#sockets.push(socket);
        return socket;
      },
      // So long that no heartbeat counts among the bytes.
      leaseMs: 600_000,
      answerTimeoutMs: 120_000,
      clock: systemClock,
      random: Math.random,
      log: silentLogger,
      events: {
        onConnected: () => Promise.resolve(),
        onDisconnected: (reason) => {
          throw new Error(`a control stream was lost: ${reason}`);
        },
        onAck: () => this.#acks.times.push(performance.now() - this.#acks.startedAt),
        onNack: ({ message }) => {
          throw new Error(message);
        },
        onTelemetry: () => undefined,
        onDrainProgress: () => undefined,
      },
    });
  }
}

function toWorkload(index: number, perService: number): SnapshotWorkload {
  const service = `s${Math.floor(index / perService)}`;
  const version = `v${(index % perService) + 1}`;
  const ip = `10.${1 + Math.floor(index / perSubnet / 250)}.${Math.floor(index / perSubnet) % 250}.${(index % perSubnet) + 2}`;
  const addresses = [{ network: 'shop_default', ip, aliases: [service] }];
  const discovered = fakeWorkload(`${service}-${version}`, { addresses });
  return { discovered, attached: true, listeners, endpointPorts: [] };
}

function toSplit(index: number, weight: number): Resource[] {
  const weights = [
    { subset: 'v1', weight: 100 - weight },
    { subset: 'v2', weight },
  ];
  const service = { service: `s${index}`, namespace: 'shop', versions: ['v1', 'v2'] };
  return Object.values(toSplitResources({ ...service, weights, pins: [] }));
}

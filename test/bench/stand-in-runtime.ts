import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Runtime, Sidecar } from '../../core/control-plane/runtime/runtime.ts';
import { FakeRuntime, fakeWorkload } from '../support/fake-runtime.ts';

const perSubnet = 250;

/** `count` workloads on one network, whose sidecars are the stand-ins of another process. */
export class StandInRuntime extends FakeRuntime implements Runtime {
  readonly #child: ChildProcess;
  readonly #paths: readonly string[];
  readonly #count: number;

  constructor(child: ChildProcess, paths: readonly string[], count: number) {
    super(
      Array.from({ length: count }, (_, index) => {
        const ip = `10.1.${Math.floor(index / perSubnet)}.${(index % perSubnet) + 2}`;
        return fakeWorkload(`s${index}`, { addresses: [{ network: 'shop_default', ip, aliases: [`s${index}`] }] });
      }),
    );
    this.#child = child;
    this.#paths = paths;
    this.#count = count;
  }

  override async startSidecar(workloadId: string): Promise<Sidecar> {
    const index = Number(workloadId.slice('id-s'.length));
    const path = this.#paths[index];
    if (path === undefined) throw new Error(`there are only ${this.#count} stand-ins`);
    const done = () => Promise.resolve();
    return {
      workloadId,
      incarnation: '1',
      listeners: { kind: 'transparent', outboundPort: 15_001, inboundPort: 15_006 },
      endpointPorts: [],
      connect: async () => {
        const socket = connect(path);
        await once(socket, 'connect');
        return socket;
      },
      redirect: done,
      undirect: done,
      remove: done,
    };
  }

  override async close(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.stdin?.end();
    await exited;
  }
}

export async function startStandIns(count: number): Promise<StandInRuntime> {
  const program = join(dirname(fileURLToPath(import.meta.url)), 'stand-in-sidecars.mjs');
  const child = spawn(process.execPath, [program], {
    env: { ...process.env, COUNT: String(count) },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  return new StandInRuntime(child, JSON.parse(line) as string[], count);
}

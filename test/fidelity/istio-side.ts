import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/test-sidecar.ts';
import { observe, type Side } from './observe.ts';
import type { Upstreams } from './upstreams.ts';
import { serviceEntry, type World, withPorts } from './world.ts';

export interface IstioSide extends Side {
  load(world: World, upstreams: Upstreams): Promise<void>;
  close(): Promise<void>;
}

const startsWithinMs = 40_000;

/**
 * A real istiod with one real sidecar, as `web` of namespace `shop`, all files in one document that is replaced at once.
 * @param program see test/support/istio-tools.ts
 */
export async function startIstioSide(program: string): Promise<IstioSide> {
  const folder = await mkdtemp(join(tmpdir(), 'fidelity-'));
  const file = join(folder, 'world.yaml');
  await writeFile(file, '');
  const [proxyPort, admin] = await Promise.all([freePort(), freePort()]);
  const ports = ['--http-proxy', String(proxyPort), '--admin', String(admin)];
  const child = spawn(program, ['run', folder, ...ports, '--workload', 'web.shop', '--label', 'tier=front'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const side = { name: 'istio', proxyPort, agent: new Agent({ keepAlive: true, maxSockets: 32 }) } as const;
  // Before it serves, istiod takes a hundred resources and then hangs; afterwards any number.
  await eventually('the proxy of Istio listens', () => isOpen(proxyPort), startsWithinMs);
  let loaded = 0;
  return {
    ...side,
    async load(world, upstreams) {
      loaded += 1;
      const texts = world.scenarios.map(
        ({ host, versions, yaml }) => `${serviceEntry(host, versions, upstreams)}${withPorts(yaml, upstreams)}`,
      );
      // Istio takes the files over some time after they change; the sentinel says when this world is the one in force.
      const sentinel = `world-${loaded}`;
      const text = [...texts, serviceEntry(sentinel, ['v1'], upstreams)].join('---\n');
      await writeFile(join(folder, 'next.tmp'), text.replaceAll(/\.istio\.io\/v1$/gm, '.istio.io/v1beta1'));
      await rename(join(folder, 'next.tmp'), file);
      const deadlineMs = performance.now() + startsWithinMs;
      const isTaken = async () => (await observe(side, upstreams, sentinel, {})).status === 200;
      while (!((await isTaken()) && (await isWarm(admin)))) {
        if (performance.now() > deadlineMs || child.exitCode !== null)
          throw new Error('Istio did not take the world over');
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    },
    async close() {
      side.agent.destroy();
      if (child.exitCode === null && child.kill('SIGTERM')) await once(child, 'exit');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** No cluster is still waiting for its endpoints. */
async function isWarm(admin: number): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${admin}/stats?filter=cluster_manager.warming_clusters`);
  return /: 0\s*$/.test(await answer.text());
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('close', () => socket.destroy());
    socket.once('connect', () => socket.end());
  });
}

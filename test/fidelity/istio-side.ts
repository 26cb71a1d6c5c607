import { Agent } from 'node:http';
import { serviceEntry, startIstioProcess } from '../support/real-istio.ts';
import { observe, type Side } from './observe.ts';
import { asToday } from './todays-istio.ts';
import type { Upstreams } from './upstreams.ts';
import { type World, withPorts } from './world.ts';

export interface IstioSide extends Side {
  load(world: World, upstreams: Upstreams): Promise<void>;
  close(): Promise<void>;
}

const takesOverWithinMs = 40_000;

/**
 * A real istiod with one real sidecar, as `web` of namespace `shop`, all files in one document that is replaced at once.
 * @param program see test/support/istio-tools.ts
 */
export async function startIstioSide(program: string): Promise<IstioSide> {
  const istio = await startIstioProcess(program, ['tier=front']);
  const { proxyPort, adminPort } = istio;
  const side = { name: 'istio', proxyPort, agent: new Agent({ keepAlive: true, maxSockets: 32 }) } as const;
  let loaded = 0;
  return {
    ...side,
    async load(world, upstreams) {
      loaded += 1;
      const toEntry = (host: string, versions: readonly string[]) =>
        serviceEntry(
          [host],
          versions.map((version) => ({ version, port: upstreams.portOf(version) })),
        );
      const texts = world.scenarios.map(
        ({ host, versions, yaml, forIstio }) =>
          `${toEntry(host, versions)}${asToday(withPorts(yaml + forIstio, upstreams))}`,
      );
      // Istio takes the file over some time after it changes; the sentinel says when this world is the one in force.
      const sentinel = `world-${loaded}`;
      await istio.write([...texts, toEntry(sentinel, ['v1'])].join('---\n'));
      const deadlineMs = performance.now() + takesOverWithinMs;
      const isTaken = async () => (await observe(side, upstreams, sentinel, {})).status === 200;
      while (!((await isTaken()) && (await isWarm(adminPort)))) {
        if (performance.now() > deadlineMs || istio.hasEnded()) throw new Error('Istio did not take the world over');
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    },
    async close() {
      side.agent.destroy();
      await istio.close();
    },
  };
}

/** No cluster is still waiting for its endpoints. */
async function isWarm(admin: number): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${admin}/stats?filter=cluster_manager.warming_clusters`);
  return /: 0\s*$/.test(await answer.text());
}

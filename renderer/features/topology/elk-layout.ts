import type { ELK } from 'elkjs/lib/elk-api.js';
import workerUrl from 'elkjs/lib/elk-worker.min.js?url';
import type { Topology } from '../../../core/contract/shapes.ts';
import { toElkGraph, toPositions } from './elk-graph.ts';
import type { Positions } from './layout.ts';
import { fitOf, packParts, withinProjects } from './pack.ts';

type Graph = Pick<Topology, 'nodes' | 'edges'>;

/** From so many nodes on the projects are laid out apart at once: as one graph they would be a long band, and take seconds. */
const manyNodes = 150;
/** A graph that fits a window of 740 px at half its size is left as it is. */
const readable = 0.5 / 740;
/** How much larger the projects must be seen when they are laid out apart, to give up that columns go through all of them. */
const worthIt = 1.5;

let engine: Promise<ELK> | null = null;

/** ELK in a worker; where workers cannot be started (a page opened from a file) on the page itself. */
function startEngine(): Promise<ELK> {
  engine ??= (async () => {
    if (window.location.protocol === 'file:') {
      const { default: Elk } = await import('elkjs/lib/elk.bundled.js');
      return new Elk();
    }
    const { default: Elk } = await import('elkjs/lib/elk-api.js');
    return new Elk({ workerFactory: () => new Worker(workerUrl) });
  })();
  return engine;
}

/** A full layout: layers from callers to called, projects kept together. Rejects when ELK cannot be started. */
export async function layoutAll(topology: Graph): Promise<Positions> {
  const elk = await startEngine();
  const arrange = async (graph: Graph) => packParts(toPositions(await elk.layout(toElkGraph(graph))), graph);
  const apart = withinProjects(topology);
  if (apart === null) return arrange(topology);
  if (topology.nodes.length >= manyNodes) return arrange(apart);
  const whole = await arrange(topology);
  if (fitOf(whole, topology) > readable) return whole;
  const parts = await arrange(apart);
  return fitOf(parts, topology) > worthIt * fitOf(whole, topology) ? parts : whole;
}

import type { ELK } from 'elkjs/lib/elk-api.js';
import workerUrl from 'elkjs/lib/elk-worker.min.js?url';
import type { Topology } from '../../../core/contract/shapes.ts';
import { toElkGraph, toPositions } from './elk-graph.ts';
import type { Positions } from './layout.ts';
import { packParts } from './pack.ts';

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
export async function layoutAll(topology: Pick<Topology, 'nodes' | 'edges'>): Promise<Positions> {
  const elk = await startEngine();
  return packParts(toPositions(await elk.layout(toElkGraph(topology))), topology);
}

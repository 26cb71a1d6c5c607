import type { ELK, ElkNode } from 'elkjs/lib/elk-api.js';
import workerUrl from 'elkjs/lib/elk-worker.min.js?url';
import type { Topology } from '../../../core/contract/shapes.ts';
import { gaps, nodeSize, type Positions } from './layout.ts';

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

const options = {
  'elk.algorithm': 'layered',
  'elk.direction': 'RIGHT',
  'elk.hierarchyHandling': 'INCLUDE_CHILDREN',
  'elk.layered.spacing.nodeNodeBetweenLayers': String(gaps.column),
  'elk.spacing.nodeNode': String(gaps.row),
  'elk.spacing.componentComponent': '64',
  'elk.layered.nodePlacement.strategy': 'NETWORK_SIMPLEX',
  'elk.layered.considerModelOrder.strategy': 'NODES_AND_EDGES',
  'elk.padding': `[top=${gaps.boxTop},left=${gaps.box},bottom=${gaps.box},right=${gaps.box}]`,
};

/** A full layout: layers from callers to called, projects kept together. */
export async function layoutAll({ nodes, edges }: Pick<Topology, 'nodes' | 'edges'>): Promise<Positions> {
  const elk = await startEngine();
  const leaf = (id: string): ElkNode => ({ id, ...nodeSize });
  const projects = [...new Set(nodes.flatMap(({ project }) => project ?? []))].sort();
  const byId = [...nodes].sort((left, right) => left.id.localeCompare(right.id));
  const graph: ElkNode = {
    id: 'root',
    layoutOptions: options,
    children: [
      ...byId.filter(({ project }) => project === null).map(({ id }) => leaf(id)),
      ...projects.map((project) => ({
        id: `box:${project}`,
        layoutOptions: options,
        children: byId.filter((node) => node.project === project).map(({ id }) => leaf(id)),
      })),
    ],
    edges: edges
      .filter(({ from, to }) => from !== to)
      .map(({ id, from, to }) => ({ id, sources: [from], targets: [to] })),
  };
  const positions: Record<string, { x: number; y: number }> = {};
  collect(await elk.layout(graph), 0, 0, positions);
  return positions;
}

function collect(parent: ElkNode, left: number, top: number, into: Record<string, { x: number; y: number }>): void {
  for (const child of parent.children ?? []) {
    const x = left + (child.x ?? 0);
    const y = top + (child.y ?? 0);
    if (child.id.startsWith('box:')) collect(child, x, y, into);
    else into[child.id] = { x, y };
  }
}

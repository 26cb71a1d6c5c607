/** Topology <-> ELK's graph. Nodes and edges are sorted, so that the same topology always gives the same layout. Pure. */
import type { ElkNode } from 'elkjs/lib/elk-api.js';
import type { Topology } from '../../../core/contract/shapes.ts';
import { gaps, nodeSize, type Point, type Positions } from './layout.ts';

/** Layers from callers to called. `considerModelOrder` is left alone: with nested boxes it makes elkjs 0.12 throw. */
const options = {
  'elk.algorithm': 'layered',
  'elk.direction': 'RIGHT',
  'elk.hierarchyHandling': 'INCLUDE_CHILDREN',
  'elk.layered.spacing.nodeNodeBetweenLayers': String(gaps.column),
  'elk.spacing.nodeNode': String(gaps.row),
  'elk.spacing.componentComponent': '64',
  'elk.layered.nodePlacement.strategy': 'NETWORK_SIMPLEX',
  'elk.padding': `[top=${gaps.boxTop},left=${gaps.box},bottom=${gaps.box},right=${gaps.box}]`,
};

export function toElkGraph({ nodes, edges }: Pick<Topology, 'nodes' | 'edges'>): ElkNode {
  const sorted = [...nodes].sort((left, right) => left.id.localeCompare(right.id));
  const known = new Set(nodes.map(({ id }) => id));
  const projects = [...new Set(nodes.flatMap(({ project }) => project ?? []))].sort();
  const membersOf = (project: string | null) =>
    sorted.filter((node) => node.project === project).map(({ id }): ElkNode => ({ id, ...nodeSize }));
  return {
    id: 'root',
    layoutOptions: options,
    children: [
      ...membersOf(null),
      ...projects.map((project) => ({ id: `box:${project}`, layoutOptions: options, children: membersOf(project) })),
    ],
    edges: edges
      .filter(({ from, to }) => from !== to && known.has(from) && known.has(to))
      .map(({ id, from, to }) => ({ id, sources: [from], targets: [to] }))
      .sort((left, right) => left.id.localeCompare(right.id)),
  };
}

/** Absolute positions of all nodes, boxes left out. */
export function toPositions(root: ElkNode): Positions {
  const positions: Record<string, Point> = {};
  const collect = (parent: ElkNode, left: number, top: number) => {
    for (const child of parent.children ?? []) {
      const x = left + (child.x ?? 0);
      const y = top + (child.y ?? 0);
      if (child.id.startsWith('box:')) collect(child, x, y);
      else positions[child.id] = { x, y };
    }
  };
  collect(root, 0, 0);
  return positions;
}

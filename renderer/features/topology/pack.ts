import type { Topology } from '../../../core/contract/shapes.ts';
import { boxesOf, gaps, nodeSize, type Point, type Positions } from './layout.ts';

const spacing = 56;
/** Width to height of the whole picture that suits a window. */
const aspect = 1.6;

interface Part {
  readonly ids: readonly string[];
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/**
 * ELK stacks parts of the graph that have nothing to do with each other. Sets them in rows instead, largest first, so that
 * many small projects fill a window. A graph in one part stays as it is. Pure.
 */
export function packParts(positions: Positions, topology: Pick<Topology, 'nodes' | 'edges'>): Positions {
  const parts = partsOf(topology).map((ids) => measure(ids, positions, topology));
  if (parts.length < 2) return positions;
  parts.sort((left, right) => right.height - left.height || (left.ids[0] ?? '').localeCompare(right.ids[0] ?? ''));
  const area = parts.reduce((sum, { width, height }) => sum + (width + spacing) * (height + spacing), 0);
  const rowWidth = Math.max(Math.sqrt(area * aspect), ...parts.map(({ width }) => width));
  const packed: Record<string, Point> = {};
  let x = 0;
  let y = 0;
  let rowHeight = 0;
  for (const part of parts) {
    if (x > 0 && x + part.width > rowWidth) {
      x = 0;
      y += rowHeight + spacing;
      rowHeight = 0;
    }
    for (const id of part.ids) {
      const at = positions[id];
      if (at) packed[id] = { x: at.x - part.x + x, y: at.y - part.y + y };
    }
    x += part.width + spacing;
    rowHeight = Math.max(rowHeight, part.height);
  }
  return packed;
}

/**
 * The graph with the edges inside of projects only, and those of nodes that have to do with one project alone: what is
 * left falls into a part per project. `null` where there are not two projects to set apart. Pure.
 */
export function withinProjects({
  nodes,
  edges,
}: Pick<Topology, 'nodes' | 'edges'>): Pick<Topology, 'nodes' | 'edges'> | null {
  const projectOf = new Map(nodes.map(({ id, project }) => [id, project]));
  if (new Set(nodes.flatMap(({ project }) => project ?? [])).size < 2) return null;
  const near = new Map<string, Set<string>>();
  for (const { from, to } of edges)
    for (const [id, other] of [
      [from, projectOf.get(to)],
      [to, projectOf.get(from)],
    ] as const)
      if (other) near.set(id, (near.get(id) ?? new Set()).add(other));
  const homeOf = (id: string) => {
    const [only = null, ...others] = near.get(id) ?? [];
    return projectOf.get(id) ?? (others.length === 0 ? only : null);
  };
  return { nodes, edges: edges.filter(({ from, to }) => homeOf(from) !== null && homeOf(from) === homeOf(to)) };
}

/** How large a layout is seen in a window: the zoom at which all of it is in sight, up to a factor. Pure. */
export function fitOf(positions: Positions, topology: Pick<Topology, 'nodes' | 'edges'>): number {
  const ids = topology.nodes.flatMap(({ id }) => (positions[id] ? id : []));
  if (ids.length === 0) return 0;
  const { width, height } = measure(ids, positions, topology);
  return Math.min(aspect / width, 1 / height);
}

/** Node ids that belong together: by an edge or by a project. */
function partsOf({ nodes, edges }: Pick<Topology, 'nodes' | 'edges'>): readonly (readonly string[])[] {
  const parent = new Map<string, string>();
  const root = (id: string): string => {
    const up = parent.get(id) ?? id;
    if (up === id) return id;
    const top = root(up);
    parent.set(id, top);
    return top;
  };
  const join = (left: string, right: string) => parent.set(root(left), root(right));
  for (const { id, project } of nodes) if (project !== null) join(id, `box:${project}`);
  for (const { from, to } of edges) join(from, to);
  const parts = new Map<string, string[]>();
  for (const { id } of nodes) parts.set(root(id), [...(parts.get(root(id)) ?? []), id]);
  return [...parts.values()];
}

function measure(ids: readonly string[], positions: Positions, { nodes }: Pick<Topology, 'nodes'>): Part {
  const members = new Set(ids);
  const points = ids.flatMap((id) => positions[id] ?? []);
  const boxes = boxesOf(
    nodes.filter(({ id }) => members.has(id)),
    positions,
  );
  const loose = points.map(({ x, y }) => ({ x, y: y - gaps.row / 2, ...nodeSize }));
  const all = [...boxes, ...loose];
  const left = Math.min(...all.map(({ x }) => x));
  const top = Math.min(...all.map(({ y }) => y));
  const right = Math.max(...all.map(({ x, width }) => x + width));
  const bottom = Math.max(...all.map(({ y, height }) => y + height));
  return { ids, x: left, y: top, width: right - left, height: bottom - top };
}

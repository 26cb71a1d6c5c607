/**
 * Where nodes stand. Words: a *full layout* arranges everything (ELK, see elk-layout.ts); a *placement* finds room for new
 * nodes and leaves the others alone, so that a graph that people look at is never reshuffled. Pure.
 */
import type { Topology, TopologyEdge, TopologyNode } from '../../../core/contract/shapes.ts';

export interface Point {
  readonly x: number;
  readonly y: number;
}
export type Positions = Readonly<Record<string, Point>>;

export const nodeSize = { width: 158, height: 54 };
/** Columns leave room for a label on its edge, rows for one that is lifted above a node, boxes for one above their first row. */
export const gaps = { column: 116, row: 46, box: 24, boxTop: 66 };

const columnStep = nodeSize.width + gaps.column;
const rowStep = nodeSize.height + gaps.row;

/** Gives each node without a position one: right of its callers (left of what it calls), in the first free row of its box. */
export function placeNew(known: Positions, { nodes, edges }: Pick<Topology, 'nodes' | 'edges'>): Positions {
  const positions: Record<string, Point> = {};
  for (const { id } of nodes) {
    const at = known[id];
    if (at) positions[id] = at;
  }
  const taken = Object.values(positions);
  for (const node of nodes) {
    if (positions[node.id]) continue;
    const point = findRoom(node, positions, taken, { nodes, edges });
    positions[node.id] = point;
    taken.push(point);
  }
  return positions;
}

type Graph = Pick<Topology, 'nodes' | 'edges'>;

function findRoom(node: TopologyNode, positions: Positions, taken: readonly Point[], { nodes, edges }: Graph): Point {
  const x = columnOf(node, positions, nodes, edges);
  const neighbours = edges.flatMap(({ from, to }) => (from === node.id ? to : to === node.id ? from : []));
  const ys = neighbours.flatMap((id) => positions[id]?.y ?? []);
  const wanted = ys.length > 0 ? ys.reduce((sum, y) => sum + y, 0) / ys.length : lowest(node, positions, nodes);
  for (let step = 0; step < 1_000; step += 1) {
    const offset = Math.ceil(step / 2) * (step % 2 === 1 ? 1 : -1);
    const point = { x, y: wanted + offset * rowStep };
    if (isFree(point, taken)) return point;
  }
  return { x, y: wanted };
}

function columnOf(
  node: TopologyNode,
  positions: Positions,
  nodes: readonly TopologyNode[],
  edges: readonly TopologyEdge[],
): number {
  const callers = edges.flatMap(({ from, to }) => (to === node.id ? (positions[from]?.x ?? []) : []));
  if (callers.length > 0) return Math.max(...callers) + columnStep;
  const called = edges.flatMap(({ from, to }) => (from === node.id ? (positions[to]?.x ?? []) : []));
  if (called.length > 0) return Math.min(...called) - columnStep;
  const mates = nodes.flatMap(({ id, project }) => (project === node.project ? (positions[id]?.x ?? []) : []));
  return mates.length > 0 ? Math.min(...mates) : 0;
}

/** Below everything in the same box, else below everything. */
function lowest(node: TopologyNode, positions: Positions, nodes: readonly TopologyNode[]): number {
  const mates = nodes.flatMap(({ id, project }) => (project === node.project ? (positions[id]?.y ?? []) : []));
  const all = mates.length > 0 ? mates : Object.values(positions).map(({ y }) => y);
  return all.length > 0 ? Math.max(...all) + rowStep : 0;
}

function isFree({ x, y }: Point, taken: readonly Point[]): boolean {
  return taken.every(
    (other) => Math.abs(other.x - x) >= nodeSize.width + 16 || Math.abs(other.y - y) >= nodeSize.height + 16,
  );
}

/** Positions of the nodes that are there: those of nodes that went are kept for when they come back, but are nothing to look at. */
export function presentOf(nodes: readonly Pick<TopologyNode, 'id'>[], positions: Positions): Positions {
  return Object.fromEntries(nodes.flatMap(({ id }) => (positions[id] ? [[id, positions[id]]] : [])));
}

export interface ProjectBox extends Point {
  readonly project: string;
  readonly width: number;
  readonly height: number;
}

/** The box around the nodes of each project. */
export function boxesOf(nodes: readonly TopologyNode[], positions: Positions): readonly ProjectBox[] {
  const groups = new Map<string, Point[]>();
  for (const { id, project } of nodes) {
    const at = positions[id];
    if (project !== null && at) groups.set(project, [...(groups.get(project) ?? []), at]);
  }
  return [...groups].map(([project, points]) => {
    const left = Math.min(...points.map(({ x }) => x)) - gaps.box;
    const top = Math.min(...points.map(({ y }) => y)) - gaps.boxTop;
    const right = Math.max(...points.map(({ x }) => x)) + nodeSize.width + gaps.box;
    const bottom = Math.max(...points.map(({ y }) => y)) + nodeSize.height + gaps.box;
    return { project, x: left, y: top, width: right - left, height: bottom - top };
  });
}

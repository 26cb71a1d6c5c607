import { useCallback, useEffect, useRef, useState } from 'react';
import type { Topology } from '../../../core/contract/shapes.ts';
import { layoutAll } from './elk-layout.ts';
import { type Point, type Positions, placeNew } from './layout.ts';

interface Layout {
  readonly positions: Positions;
  /** The layout was made while there were edges: from then on only new nodes are placed. */
  readonly withEdges: boolean;
}

/** While the first traffic of a graph appears it may still be arranged as a whole; after that nothing moves by itself. */
const settleMs = 10_000;
const storageKey = (project: string) => `meshdesk.layout.${project}`;

export interface LayoutControl {
  readonly positions: Positions;
  /** Rises after every full layout: the view fits itself then. */
  readonly turn: number;
  move(id: string, to: Point): void;
  /** Arranges everything anew. */
  tidy(): void;
}

/** Positions by node id, kept between starts of the page on this machine. */
export function useLayout(topology: Topology | null, project: string): LayoutControl {
  const [layout, setLayout] = useState<Layout>(() => restore(project));
  const [turn, setTurn] = useState(0);
  const latest = useRef(topology);
  latest.current = topology;
  const known = useRef(layout);
  known.current = layout;
  const firstEdgesMs = useRef<number | null>(null);
  const touched = useRef(false);
  const running = useRef(0);
  const shape = topology ? shapeOf(topology) : '';

  const tidy = useCallback(() => {
    const graph = latest.current;
    if (!graph) return;
    running.current += 1;
    const mine = running.current;
    layoutAll(graph).then(
      (positions) => {
        if (mine !== running.current) return;
        setLayout({ positions: placeNew(positions, latest.current ?? graph), withEdges: graph.edges.length > 0 });
        setTurn((number) => number + 1);
      },
      () => {
        // ELK could not arrange it: every node still gets a place, only less well chosen.
        setLayout({ positions: placeNew({}, graph), withEdges: graph.edges.length > 0 });
        setTurn((number) => number + 1);
      },
    );
  }, []);

  useEffect(() => {
    const graph = latest.current;
    const { positions: placed, withEdges: arranged } = known.current;
    if (!graph || !shape || graph.nodes.length === 0) return;
    if (graph.edges.length > 0 && !arranged) firstEdgesMs.current ??= performance.now();
    const settling = firstEdgesMs.current !== null && performance.now() - firstEdgesMs.current < settleMs;
    const missing = graph.nodes.filter(({ id }) => !placed[id]).length;
    const few = missing > graph.nodes.length / 2;
    if (!touched.current && (few || settling || (graph.edges.length > 0 && !arranged))) tidy();
    else if (missing > 0)
      setLayout(({ positions, withEdges }) => ({
        positions: { ...positions, ...placeNew(positions, graph) },
        withEdges,
      }));
  }, [shape, tidy]);

  useEffect(() => {
    if (Object.keys(layout.positions).length > 0) localStorage.setItem(storageKey(project), JSON.stringify(layout));
  }, [layout, project]);

  const move = useCallback((id: string, to: Point) => {
    touched.current = true;
    setLayout(({ positions, withEdges }) => ({ positions: { ...positions, [id]: to }, withEdges }));
  }, []);
  return { positions: layout.positions, turn, move, tidy };
}

function shapeOf({ nodes, edges }: Topology): string {
  return `${nodes
    .map(({ id }) => id)
    .sort()
    .join()}|${edges
    .map(({ id }) => id)
    .sort()
    .join()}`;
}

function restore(project: string): Layout {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(storageKey(project)) ?? 'null');
    if (typeof value === 'object' && value !== null && 'positions' in value && 'withEdges' in value)
      return value as Layout;
  } catch {
    localStorage.removeItem(storageKey(project));
  }
  return { positions: {}, withEdges: false };
}

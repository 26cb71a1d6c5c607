/**
 * Where the labels of edges stand: on their edge, clear of nodes and of each other. Greedy, steep edges first: their
 * middle is free, and level ones find room above or below. The width of a label is estimated by what it can hold, not by
 * its text of this second, so that labels stand still while figures move. Pure.
 */
import type { TopologyEdge } from '../../../core/contract/shapes.ts';
import { nodeSize, type Point, type Positions } from './layout.ts';

interface Box {
  readonly x: number;
  readonly y: number;
  readonly halfWidth: number;
  readonly halfHeight: number;
}

/** Beyond this many edges every label stands in the middle: nobody reads all of them at once. */
const mostArranged = 200;
const labelHeight = 20;
const plainWidth = 108;
const badgeWidth = 52;

export function placeLabels(edges: readonly TopologyEdge[], positions: Positions): Readonly<Record<string, Point>> {
  const placed: Record<string, Point> = {};
  const ends = edges.flatMap((edge) => {
    const from = positions[edge.from];
    const to = positions[edge.to];
    return from && to ? [{ edge, from: exitOf(from), to: entryOf(to) }] : [];
  });
  if (ends.length > mostArranged) {
    for (const { edge, from, to } of ends) placed[edge.id] = pointAt(from, to, 0.5);
    return placed;
  }
  const taken: Box[] = Object.values(positions).map(toNodeBox);
  const steepness = ({ from, to }: { from: Point; to: Point }) => Math.abs(from.y - to.y);
  ends.sort((left, right) => steepness(right) - steepness(left) || left.edge.id.localeCompare(right.edge.id));
  for (const { edge, from, to } of ends) {
    const halfWidth = (plainWidth + edge.badges.length * badgeWidth) / 2;
    const boxes = candidates(from, to).map(({ x, y }): Box => ({ x, y, halfWidth, halfHeight: labelHeight / 2 + 2 }));
    const best = leastCovered(boxes, taken);
    if (!best) continue;
    taken.push(best);
    placed[edge.id] = { x: best.x, y: best.y };
  }
  return placed;
}

const exitOf = ({ x, y }: Point): Point => ({ x: x + nodeSize.width, y: y + nodeSize.height / 2 });
const entryOf = ({ x, y }: Point): Point => ({ x, y: y + nodeSize.height / 2 });
const toNodeBox = ({ x, y }: Point): Box => ({
  x: x + nodeSize.width / 2,
  y: y + nodeSize.height / 2,
  halfWidth: nodeSize.width / 2,
  halfHeight: nodeSize.height / 2 + 2,
});

/** Along the curve from the middle outwards, then above and below it. */
function candidates(from: Point, to: Point): readonly Point[] {
  const along = [0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74, 0.82, 0.18, 0.88, 0.12].map((part) =>
    pointAt(from, to, part),
  );
  const [middle] = along;
  if (!middle) return [];
  const lift = nodeSize.height / 2 + 15;
  const offsets = [0, 8, 16, 26].flatMap((more) => [-lift - more, lift + more]);
  const beside = offsets.map((offset) => ({ x: middle.x, y: middle.y + offset }));
  // In a crowd the middle has no room anywhere: any place of the curve with some room above or below it.
  const crowded = along.flatMap(({ x, y }) => [22, -22, 44, -44].map((offset) => ({ x, y: y + offset })));
  return [...along, ...beside, ...crowded];
}

/** A point of the curve that the canvas draws from right handle to left handle (a cubic with level ends). */
function pointAt(from: Point, to: Point, part: number): Point {
  const reach = to.x >= from.x ? (to.x - from.x) / 2 : 6.25 * Math.sqrt(from.x - to.x);
  const rest = 1 - part;
  const mix = (a: number, b: number, c: number, d: number) =>
    rest ** 3 * a + 3 * rest ** 2 * part * b + 3 * rest * part ** 2 * c + part ** 3 * d;
  return { x: mix(from.x, from.x + reach, to.x - reach, to.x), y: mix(from.y, from.y, to.y, to.y) };
}

function leastCovered(boxes: readonly Box[], taken: readonly Box[]): Box | undefined {
  let best: Box | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const box of boxes) {
    const covered = taken.reduce((sum, other) => sum + overlapOf(box, other), 0);
    if (covered < least) {
      best = box;
      least = covered;
    }
    if (covered === 0) break;
  }
  return best;
}

function overlapOf(one: Box, other: Box): number {
  const width = one.halfWidth + other.halfWidth - Math.abs(one.x - other.x);
  const height = one.halfHeight + other.halfHeight - Math.abs(one.y - other.y);
  return width > 0 && height > 0 ? width * height : 0;
}

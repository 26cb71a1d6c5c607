/**
 * What part of the graph is in sight: all of it where its text can be read then; else, while something is selected, the
 * part around it at a size that can be read. Pure.
 */
import { nodeSize, type Point, type Positions, type ProjectBox } from './layout.ts';

/** Share of the canvas that stays free on each side. */
export const fitPadding = 0.03;
export const largestZoom = 1.15;
/** Below this the small text of a node is under 9 px. */
const readableZoom = 0.8;

/**
 * By how much lines and names are drawn larger at a zoom, from 1 to 8: they would be under a pixel. In steps, because each
 * one is a new style for the whole graph. Pure.
 */
export function farScale(zoom: number): number {
  return zoom >= 0.6 ? 1 : Math.min(8, 2 ** (Math.round(2 * Math.log2(0.8 / zoom)) / 2));
}

export interface ViewportInput {
  readonly positions: Positions;
  readonly boxes: readonly ProjectBox[];
  /** Nodes that matter now; empty: none in particular. */
  readonly focus: readonly string[];
  /** Of the canvas, in px. */
  readonly width: number;
  readonly height: number;
}

/** Px that what has the focus keeps from the canvas's edge. */
const focusMargin = 16;

/** By how much the graph has to move so that what has the focus is seen; zeros where it is. Both in px of the page. Pure. */
export function shiftIntoSight(focused: Frame, canvas: Frame): Point {
  const along = (from: number, to: number, first: number, last: number) =>
    from < first + focusMargin ? first + focusMargin - from : Math.min(0, last - focusMargin - to);
  return {
    x: along(focused.left, focused.right, canvas.left, canvas.right),
    y: along(focused.top, focused.bottom, canvas.top, canvas.bottom),
  };
}

interface Frame {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

export function viewportFor({ positions, boxes, focus, width, height }: ViewportInput): Point & { zoom: number } {
  const nodes = Object.values(positions);
  const frame = frameOf([...nodes.map(toFrame), ...boxes.map(boxFrame)]);
  if (!frame || width <= 0 || height <= 0) return { x: 0, y: 0, zoom: 1 };
  const free = 1 - 2 * fitPadding;
  const whole = Math.min(
    (width * free) / (frame.right - frame.left),
    (height * free) / (frame.bottom - frame.top),
    largestZoom,
  );
  const wanted = frameOf(focus.flatMap((id) => (positions[id] ? toFrame(positions[id]) : [])));
  if (!wanted || whole >= readableZoom) return { ...place(frame, frame, width, height, whole), zoom: whole };
  return { ...place(wanted, frame, width, height, readableZoom), zoom: readableZoom };
}

/** Puts the middle of `wanted` into the middle of the canvas, but leaves no room free that the rest could fill. */
function place(wanted: Frame, all: Frame, width: number, height: number, zoom: number): Point {
  return {
    x: shift((wanted.left + wanted.right) / 2, all.left, all.right, width, zoom),
    y: shift((wanted.top + wanted.bottom) / 2, all.top, all.bottom, height, zoom),
  };
}

function shift(middle: number, from: number, to: number, size: number, zoom: number): number {
  const margin = size * fitPadding;
  if ((to - from) * zoom <= size - 2 * margin) return size / 2 - ((from + to) / 2) * zoom;
  const centred = size / 2 - middle * zoom;
  return Math.min(margin - from * zoom, Math.max(size - margin - to * zoom, centred));
}

const toFrame = ({ x, y }: Point): Frame => ({
  left: x,
  top: y,
  right: x + nodeSize.width,
  bottom: y + nodeSize.height,
});
const boxFrame = ({ x, y, width, height }: ProjectBox): Frame => ({
  left: x,
  top: y,
  right: x + width,
  bottom: y + height,
});

function frameOf(frames: readonly Frame[]): Frame | null {
  if (frames.length === 0) return null;
  return {
    left: Math.min(...frames.map(({ left }) => left)),
    top: Math.min(...frames.map(({ top }) => top)),
    right: Math.max(...frames.map(({ right }) => right)),
    bottom: Math.max(...frames.map(({ bottom }) => bottom)),
  };
}

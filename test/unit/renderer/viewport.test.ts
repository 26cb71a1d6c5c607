import { describe, expect, it } from 'vitest';
import { farScale, shiftIntoSight, viewportFor } from '../../../renderer/features/topology/viewport.ts';
import { fromFirstValue } from '../../../renderer/ui/chart.tsx';

describe('lines and names seen from far away', () => {
  it('are as they are at a size that can be read, larger below it, and never without end', () => {
    expect([2, 1, 0.6].map(farScale)).toEqual([1, 1, 1]);
    const far = [0.5, 0.3, 0.2, 0.1].map(farScale);
    expect(far).toEqual([...far].sort((left, right) => left - right));
    expect(farScale(0.2) * 0.2).toBeGreaterThan(0.5);
    expect(farScale(0.01)).toBe(8);
  });
});

describe('what has the focus', () => {
  const canvas = { left: 100, top: 50, right: 900, bottom: 650 };
  const at = (left: number, top: number) => ({ left, top, right: left + 150, bottom: top + 50 });

  it('stays where it is while it is seen', () => {
    expect(shiftIntoSight(at(300, 300), canvas)).toEqual({ x: 0, y: 0 });
  });

  it('is moved just into sight, from any side', () => {
    expect(shiftIntoSight(at(-200, 300), canvas)).toEqual({ x: 316, y: 0 });
    expect(shiftIntoSight(at(1000, 300), canvas)).toEqual({ x: -266, y: 0 });
    expect(shiftIntoSight(at(300, 10), canvas)).toEqual({ x: 0, y: 56 });
    expect(shiftIntoSight(at(300, 700), canvas)).toEqual({ x: 0, y: -116 });
  });
});

describe('the part of the graph in sight', () => {
  const chain = Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map((id, place) => [id, { x: place * 274, y: 0 }]));
  const canvas = { positions: chain, boxes: [], width: 884, height: 740 };

  it('is all of it, in the middle, when nothing is selected', () => {
    const { x, y, zoom } = viewportFor({ ...canvas, focus: [] });
    expect(zoom).toBeCloseTo((884 * 0.94) / (4 * 274 + 158));
    expect(x).toBeCloseTo(884 * 0.03);
    expect(y + 27 * zoom).toBeCloseTo(370);
  });

  it('is what is selected, at a readable size, when all of it would be too small', () => {
    const { x, zoom } = viewportFor({ ...canvas, focus: ['c'] });
    expect(zoom).toBe(0.8);
    expect(x + (2 * 274 + 79) * zoom).toBeCloseTo(442);
  });

  it('ends at the edge of the graph', () => {
    const { x, zoom } = viewportFor({ ...canvas, focus: ['e'] });
    expect(x + (4 * 274 + 158) * zoom).toBeCloseTo(884 * 0.97);
  });

  it('stays whole when it can be read whole, and is something without nodes', () => {
    expect(viewportFor({ ...canvas, width: 1_400, focus: ['a'] }).zoom).toBeCloseTo((1_400 * 0.94) / 1_254);
    expect(viewportFor({ ...canvas, positions: {}, focus: [] })).toEqual({ x: 0, y: 0, zoom: 1 });
  });
});

describe('the time axis of a chart', () => {
  const chart = (values: (number | null)[]) => ({
    fromMs: 1_000,
    stepMs: 1_000,
    lines: [{ label: 'p95', color: '--accent', values }],
  });

  it('begins with the first value', () => {
    const trimmed = fromFirstValue(chart([...Array(500).fill(null), ...Array(100).fill(1)]));
    expect(trimmed).toMatchObject({ fromMs: 501_000, spanMs: 100_000 });
    expect(trimmed.lines[0]?.values).toHaveLength(100);
  });

  it('shows a minute at least, and everything when there is no value at all', () => {
    expect(fromFirstValue(chart([...Array(597).fill(null), 1, 2, 3])).spanMs).toBe(60_000);
    expect(fromFirstValue(chart(Array(600).fill(null))).spanMs).toBe(600_000);
    expect(fromFirstValue(chart([1, 2])).spanMs).toBe(2_000);
  });
});

import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { useEffect, useRef, useState } from 'react';
import { formatMs } from './format.ts';
import { onThemeChange, tokenColor } from './theme.ts';

export interface ChartLine {
  readonly label: string;
  readonly values: readonly (number | null)[];
  /** A design token, e.g. `--accent`. */
  readonly color: string;
  readonly filled?: boolean;
}

export interface ChartProps {
  /** What the chart shows, for people who do not see it. */
  readonly label: string;
  /** Unix ms of the first value; one value per `stepMs`. */
  readonly fromMs: number;
  readonly stepMs: number;
  readonly lines: readonly ChartLine[];
  readonly markers?: readonly { readonly atMs: number; readonly kind: 'fault' | 'config'; readonly text: string }[];
  readonly height?: number;
  /** Writes a value of the y axis; milliseconds by default. */
  format?(value: number): string;
}

/** Not less than this is drawn, so that the first seconds do not fill a chart. */
const shortestMs = 60_000;

/**
 * Leaves the time before the first value out, down to one minute: a chart that was just begun is not an empty one. Pure.
 * `spanMs` is what is left, for the title.
 */
export function fromFirstValue<T extends { fromMs: number; stepMs: number; lines: readonly ChartLine[] }>(
  chart: T,
): T & { spanMs: number } {
  const count = Math.max(0, ...chart.lines.map(({ values }) => values.length));
  const firsts = chart.lines.map(({ values }) => values.findIndex((value) => value !== null)).filter((at) => at >= 0);
  const latest = Math.max(0, count - Math.ceil(shortestMs / chart.stepMs));
  const first = firsts.length === 0 ? 0 : Math.min(latest, ...firsts);
  return {
    ...chart,
    fromMs: chart.fromMs + first * chart.stepMs,
    lines: chart.lines.map((line) => ({ ...line, values: line.values.slice(first) })),
    spanMs: (count - first) * chart.stepMs,
  };
}

/** A time chart (uPlot). Gaps stay gaps: a second without data draws nothing. */
export function Chart(props: ChartProps) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const [themeTurn, setThemeTurn] = useState(0);
  const shape = `${props.lines.map(({ label, color }) => `${label}:${color}`).join()}|${props.height ?? 96}|${themeTurn}`;

  useEffect(() => onThemeChange(() => setThemeTurn((turn) => turn + 1)), []);

  useEffect(() => {
    const element = host.current;
    if (!element || !shape) return undefined;
    const made = new uPlot(options(latest, element.clientWidth || 320), data(latest.current), element);
    plot.current = made;
    const observer = new ResizeObserver(() => {
      if (element.clientWidth > 0) made.setSize({ width: element.clientWidth, height: latest.current.height ?? 96 });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape]);

  useEffect(() => {
    plot.current?.setData(data(props));
  }, [props]);

  return <div ref={host} role="img" aria-label={props.label} style={{ minHeight: props.height ?? 96 }} />;
}

function data({ fromMs, stepMs, lines }: ChartProps): uPlot.AlignedData {
  const count = Math.max(0, ...lines.map(({ values }) => values.length));
  const times = Array.from({ length: count }, (_, index) => (fromMs + index * stepMs) / 1000);
  return [times, ...lines.map(({ values }) => [...values])];
}

function options(latest: { current: ChartProps }, width: number): uPlot.Options {
  const { lines, height = 96, format = formatMs } = latest.current;
  const hint = tokenColor('--text-3');
  const grid = { stroke: tokenColor('--line'), width: 1 };
  const axis = { stroke: hint, grid, ticks: { show: false }, font: '10px "Inter Variable", sans-serif', gap: 4 };
  return {
    width,
    height,
    padding: [8, 4, 0, 0],
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
    legend: { show: false },
    scales: { x: { time: true }, y: { range: (_plot, _min, max) => [0, Math.max(max * 1.15, 1)] } },
    axes: [
      { ...axis, grid: { show: false }, size: 20, space: 90, values: clockTimes },
      { ...axis, size: 50, space: 28, values: (_plot, splits) => splits.map((value) => format(value)) },
    ],
    series: [
      {},
      ...lines.map(({ label, color, filled }) => ({
        label,
        stroke: tokenColor(color),
        width: 1.5,
        points: { show: false },
        ...(filled ? { fill: withAlpha(tokenColor(color), 0.14) } : {}),
      })),
    ],
    hooks: { draw: [(plot) => drawMarkers(plot, latest.current)] },
  };
}

/** A time that would be cut at either end of the axis is left out. */
function clockTimes(plot: uPlot, splits: readonly number[]): string[] {
  const half = 22;
  const width = plot.over.clientWidth;
  return splits.map((seconds) => {
    const x = plot.valToPos(seconds, 'x');
    return x < half || x > width - half + 4 ? '' : clockTime(seconds);
  });
}

function clockTime(seconds: number): string {
  return new Date(seconds * 1000).toLocaleTimeString('en-GB', {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  });
}

function withAlpha(color: string, alpha: number): string {
  return color.startsWith('rgb(') ? color.replace('rgb(', 'rgba(').replace(')', `, ${alpha})`) : color;
}

function drawMarkers(plot: uPlot, { markers = [] }: ChartProps): void {
  const { left, top, width, height } = plot.bbox;
  for (const { atMs, kind } of markers) {
    const x = plot.valToPos(atMs / 1000, 'x', true);
    if (x < left || x > left + width) continue;
    plot.ctx.save();
    plot.ctx.strokeStyle = tokenColor(kind === 'fault' ? '--fault' : '--text-3');
    plot.ctx.setLineDash(kind === 'fault' ? [] : [3, 3]);
    plot.ctx.beginPath();
    plot.ctx.moveTo(x, top);
    plot.ctx.lineTo(x, top + height);
    plot.ctx.stroke();
    plot.ctx.restore();
  }
}

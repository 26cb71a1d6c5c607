import { useMemo } from 'react';
import type { Series } from '../../../core/contract/shapes.ts';
import { useAccess } from '../../state/mesh-context.tsx';
import { useQuery } from '../../state/use-query.ts';
import { Chart, type ChartLine, fromFirstValue } from '../../ui/chart.tsx';
import { formatBytesPerSecond, formatMs, formatWindow } from '../../ui/format.ts';
import { Loading } from '../../ui/panels.tsx';

const seconds = 600;

/** p50, p95 and p99 (bytes per second for TCP) of an edge, or of all that reaches a node, over ten minutes at most. */
export function LatencyPane({ from, to, tcp }: { from: string | null; to: string; tcp: boolean }) {
  const { client } = useAccess();
  const query = useQuery(`${from ?? ''}->${to}`, () => client.call('series.get', { from, to, seconds }), 2_000);
  const chart = useMemo(
    () => query.data && fromFirstValue({ ...query.data, lines: linesOf(query.data, tcp) }),
    [query.data, tcp],
  );
  const title = `${tcp ? 'Bytes per second' : 'Latency'}${chart ? `, last ${formatWindow(chart.spanMs)}` : ''}`;
  return (
    <div className="latency">
      <h3>{title}</h3>
      {query.error && <p className="hint">Not available: {query.error}</p>}
      {!chart && !query.error && <Loading lines={3} label={title} />}
      {chart && (
        <>
          <Chart
            label={title}
            fromMs={chart.fromMs}
            stepMs={chart.stepMs}
            lines={chart.lines}
            markers={chart.markers}
            {...(tcp ? { format: formatBytesPerSecond } : {})}
          />
          <div className="chart-legend">
            {chart.lines.map(({ label, color, values }) => (
              <span key={label}>
                <i style={{ background: `var(${color})` }} />
                {label} <b>{tcp ? formatBytesPerSecond(newest(values)) : formatMs(newest(values))}</b>
              </span>
            ))}
          </div>
        </>
      )}
    </div>
  );
}

function linesOf(series: Series, tcp: boolean): ChartLine[] {
  if (tcp) return [{ label: 'both ways', values: series.bytesPerSecond, color: '--accent', filled: true }];
  return [
    { label: 'p99', values: series.p99Ms, color: '--text-3' },
    { label: 'p95', values: series.p95Ms, color: '--accent', filled: true },
    { label: 'p50', values: series.p50Ms, color: '--ok' },
  ];
}

/** The newest value of the last ten seconds; older ones are no news. */
function newest(values: readonly (number | null)[]): number | null {
  return values.slice(-10).findLast((value) => value !== null) ?? null;
}

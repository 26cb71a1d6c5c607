import { useMemo } from 'react';
import type { Series } from '../../../core/contract/shapes.ts';
import { useAccess } from '../../state/mesh-context.tsx';
import { useQuery } from '../../state/use-query.ts';
import { Chart, type ChartLine } from '../../ui/chart.tsx';
import { formatBytesPerSecond, formatMs } from '../../ui/format.ts';
import { Loading } from '../../ui/panels.tsx';

const seconds = 600;

/** p50, p95 and p99 (bytes per second for TCP) of an edge, or of all that reaches a node, over ten minutes. */
export function LatencyPane({ from, to, tcp }: { from: string | null; to: string; tcp: boolean }) {
  const { client } = useAccess();
  const query = useQuery(`${from ?? ''}->${to}`, () => client.call('series.get', { from, to, seconds }), 2_000);
  const title = tcp ? 'Bytes per second, last 10 minutes' : 'Latency, last 10 minutes';
  const lines = useMemo(() => (query.data ? linesOf(query.data, tcp) : []), [query.data, tcp]);
  return (
    <div className="latency">
      <h3>{title}</h3>
      {query.error && <p className="hint">Not available: {query.error}</p>}
      {!query.data && !query.error && <Loading lines={3} label={title} />}
      {query.data && (
        <>
          <Chart
            label={title}
            fromMs={query.data.fromMs}
            stepMs={query.data.stepMs}
            lines={lines}
            markers={query.data.markers}
            {...(tcp ? { format: formatBytesPerSecond } : {})}
          />
          <div className="chart-legend">
            {lines.map(({ label, color, values }) => (
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

/**
 * Faults: a switchboard of everything that harms on purpose. Each row says what it does right now: seen, hit, effect on
 * the caller. Clear all is the panic button. Harm has a colour of its own, never the colour of an accident.
 */
import { Ban, Plus, Zap } from 'lucide-react';
import { useMemo, useState } from 'react';
import type { FaultView, Series } from '../../../core/contract/shapes.ts';
import { attempt, useAccess, useMesh } from '../../state/mesh-context.tsx';
import { openDialog } from '../../state/navigation.ts';
import { offerFaults } from '../../state/offer-undo.ts';
import { findEdge, serviceKeyOf } from '../../state/topology-names.ts';
import { useQuery } from '../../state/use-query.ts';
import { Button } from '../../ui/button.tsx';
import { Chart, fromFirstValue } from '../../ui/chart.tsx';
import { formatMs, formatPercent, formatRateShort, formatWindow } from '../../ui/format.ts';
import { EmptyState, View } from '../../ui/panels.tsx';
import { FaultRow, faultTitle } from './fault-row.tsx';
import './faults.css';

const mostEdges = 10;
const newFault = () => openDialog({ kind: 'fault', draft: { from: null, to: '' } });

export function FaultsView() {
  const { client } = useAccess();
  const faults = useMesh((data) => data.faults);
  const [clearing, setClearing] = useState(false);
  const clear = async () => {
    setClearing(true);
    const left = await attempt('Clear all', () => client.call('fault.clear', { all: true }));
    setClearing(false);
    if (left) offerFaults(client, 'All faults are cleared', faults);
  };
  return (
    <View
      title="Faults"
      toolbar={
        <>
          <span className="hint">they end by themselves, also when this app is killed</span>
          <span className="push" />
          <Button icon={Plus} onClick={newFault}>
            New fault
          </Button>
          <Button
            variant="fault"
            icon={Ban}
            busy={clearing}
            disabled={faults.length === 0}
            onClick={() => void clear()}
          >
            Clear all
          </Button>
        </>
      }
    >
      {faults.length === 0 ? (
        <NoFaults />
      ) : (
        <>
          <FaultTable faults={faults} />
          <EffectCharts faults={faults} />
          <AddCard />
        </>
      )}
    </View>
  );
}

function NoFaults() {
  const hasTraffic = useMesh((data) => (data.topology?.edges.length ?? 0) > 0);
  return (
    <>
      <EmptyState
        icon={Zap}
        title="No faults"
        actions={
          <Button variant="fault" icon={Plus} onClick={newFault}>
            Inject a fault
          </Button>
        }
      >
        Delay or refuse a share of the requests between two services, and see how their callers cope. Also at hand on
        every edge of the topology.
      </EmptyState>
      {hasTraffic && <AddCard />}
    </>
  );
}

function FaultTable({ faults }: { faults: readonly FaultView[] }) {
  return (
    <div className="card clip faults-table">
      <table className="table">
        <thead>
          <tr>
            <th>
              <span className="visually-hidden">On</span>
            </th>
            <th>Scope</th>
            <th>Kind</th>
            <th>Strength</th>
            <th className="num">Share</th>
            <th>Applies to</th>
            <th>Time left</th>
            <th className="num">Seen</th>
            <th className="num">Hit</th>
            <th>Effect on the caller</th>
            <th>
              <span className="visually-hidden">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {faults.map((fault) => (
            <FaultRow key={fault.id} fault={fault} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Latency and errors as the caller sees them, for the fault that is on (else the first). */
function EffectCharts({ faults }: { faults: readonly FaultView[] }) {
  const { client } = useAccess();
  const nodes = useMesh((data) => data.topology?.nodes);
  const fault = faults.find(({ enabled }) => enabled) ?? faults[0];
  const idOf = (key: string | null) =>
    key === null ? null : (nodes?.find((node) => serviceKeyOf(node) === key)?.id ?? key);
  const from = fault ? idOf(fault.from) : null;
  const to = fault ? (idOf(fault.to) ?? fault.to) : '';
  const query = useQuery(
    fault ? `${from ?? ''}->${to}` : null,
    () => client.call('series.get', { from, to, seconds: 300 }),
    2_000,
  );
  const series = query.data;
  const charts = useMemo(() => series && chartsOf(series), [series]);
  if (!fault || !series || !charts) return null;
  const title = faultTitle(fault);
  const { latency, errors } = charts;
  const span = formatWindow(latency.spanMs);
  const isOn = series.markers.some(({ atMs, kind }) => kind === 'fault' && atMs >= latency.fromMs);
  return (
    <div className="faults-charts">
      <div className="card inner">
        <h2 className="caption">
          {title}, p95 latency, last {span}
        </h2>
        <Chart label={`p95 latency of ${title}`} height={120} {...latency} />
        <ChartFoot span={span} now={formatMs(newest(series.p95Ms))} on={isOn} />
      </div>
      <div className="card inner">
        <h2 className="caption">
          {title}, errors, last {span}
        </h2>
        <Chart label={`errors of ${title}`} height={120} format={formatPercent} {...errors} />
        <ChartFoot span={span} now={formatPercent(newest(series.errorPercent))} on={isOn} />
      </div>
    </div>
  );
}

function chartsOf({ fromMs, stepMs, markers, p95Ms, errorPercent }: Series) {
  const at = { fromMs, stepMs, markers };
  return {
    latency: fromFirstValue({ ...at, lines: [{ label: 'p95', values: p95Ms, color: '--accent', filled: true }] }),
    errors: fromFirstValue({
      ...at,
      lines: [{ label: 'errors', values: errorPercent, color: '--error', filled: true }],
    }),
  };
}

function ChartFoot({ span, now, on }: { span: string; now: string; on: boolean }) {
  return (
    <div className="chart-legend">
      <span>{span} ago</span>
      {on && <span style={{ color: 'var(--fault)' }}>┃ fault changed</span>}
      <span>
        now <b>{now}</b>
      </span>
    </div>
  );
}

const newest = (values: readonly (number | null)[]) => values.slice(-10).findLast((value) => value !== null) ?? null;

/** The HTTP edges that are there, busiest first: one click away from a fault. */
function AddCard() {
  const topology = useMesh((data) => data.topology);
  const edges = (topology?.edges ?? [])
    .flatMap(({ id, protocol }) => (protocol === 'http' ? (findEdge(topology, id) ?? []) : []))
    .filter(({ to }) => to.kind === 'service')
    .sort((left, right) => (right.edge.requestsPerSecond ?? 0) - (left.edge.requestsPerSecond ?? 0))
    .slice(0, mostEdges);
  return (
    <div className="card inner">
      <h2 className="caption">Add a fault to an edge</h2>
      <div className="inline wrap">
        {edges.length === 0 && <span className="hint">No HTTP traffic is seen at the moment.</span>}
        {edges.map(({ edge, from, to }) => (
          <Button
            key={edge.id}
            icon={Zap}
            onClick={() =>
              openDialog({
                kind: 'fault',
                draft: { from: from.kind === 'service' ? serviceKeyOf(from) : null, to: serviceKeyOf(to) },
              })
            }
          >
            {from.service} → {to.service} <span className="hint">{formatRateShort(edge.requestsPerSecond)}</span>
          </Button>
        ))}
      </div>
    </div>
  );
}

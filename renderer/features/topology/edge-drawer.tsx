import { Lock, LockKeyhole, LockOpen, Split, Zap } from 'lucide-react';
import type { FaultView } from '../../../core/contract/shapes.ts';
import { attempt, useAccess, useMesh } from '../../state/mesh-context.tsx';
import { openDialog, selectInTopology } from '../../state/navigation.ts';
import { describeAction, type EdgeEnds, faultsOf, findEdge, serviceKeyOf } from '../../state/topology-names.ts';
import { Button } from '../../ui/button.tsx';
import { Chip, VersionChip } from '../../ui/chip.tsx';
import { Switch } from '../../ui/controls.tsx';
import { formatBytesPerSecond, formatMs, formatPercent, formatRateShort } from '../../ui/format.ts';
import { Drawer, EmptyState, Pane, Signals } from '../../ui/panels.tsx';
import { LatencyPane } from './latency-pane.tsx';
import { RequestsPane } from './requests-pane.tsx';

const close = () => selectInTopology(null);

/** What flows over one edge, and what can be done to it. */
export function EdgeDrawer({ id }: { id: string }) {
  const topology = useMesh((data) => data.topology);
  const ends = findEdge(topology, id);
  if (!ends || !topology) {
    return (
      <Drawer title="Edge" onClose={close}>
        <EmptyState icon={Split} title="No traffic any more">
          There was none on this edge in the last {topology?.windowSeconds ?? 30} s.
        </EmptyState>
      </Drawer>
    );
  }
  const { edge, from, to } = ends;
  return (
    <Drawer title={`${from.service} → ${to.service}`} chips={<EdgeChips ends={ends} />} onClose={close}>
      <section className="pane">
        <EdgeSignals ends={ends} windowSeconds={topology.windowSeconds} />
        <LatencyPane from={edge.from} to={edge.to} tcp={edge.protocol === 'tcp'} />
      </section>
      <ActionsPane ends={ends} />
      {edge.protocol === 'http' && <WherePane ends={ends} />}
      {edge.protocol === 'http' && <RequestsPane from={edge.from} to={edge.to} />}
    </Drawer>
  );
}

function EdgeChips({ ends: { edge } }: { ends: EdgeEnds }) {
  const lock = {
    open: { tone: 'warn', icon: LockOpen, text: 'plaintext' },
    half: { tone: 'warn', icon: LockKeyhole, text: `mTLS ${formatPercent(edge.mtlsPercent)}` },
    closed: { tone: 'ok', icon: Lock, text: 'mTLS' },
  } as const;
  const { tone, icon, text } = lock[edge.mtls];
  return (
    <>
      <Chip tone={tone} icon={icon}>
        {text}
      </Chip>
      <Chip>{edge.protocol === 'http' ? 'HTTP' : 'TCP'}</Chip>
      {Object.entries(edge.flags)
        .filter(([flag]) => flag !== '-' && flag !== '')
        .map(([flag, count]) => (
          <Chip key={flag} mono title="response flag and how often it was seen in the window">
            {flag} {count}
          </Chip>
        ))}
    </>
  );
}

function EdgeSignals({ ends: { edge }, windowSeconds }: { ends: EdgeEnds; windowSeconds: number }) {
  const over = `${windowSeconds} s`;
  if (edge.protocol === 'tcp') {
    const { tcp } = edge;
    return (
      <Signals
        figures={[
          { value: tcp ? String(tcp.connections) : null, unit: 'open connections' },
          { value: tcp ? formatBytesPerSecond(tcp.bytesPerSecond) : null, unit: `both ways · ${over}` },
          { value: formatPercent(edge.mtlsPercent), unit: `mutual TLS · ${over}` },
        ]}
      />
    );
  }
  return (
    <Signals
      figures={[
        {
          value: edge.requestsPerSecond === null ? null : formatRateShort(edge.requestsPerSecond),
          unit: `requests · ${over}`,
        },
        {
          value: edge.errorPercent === null ? null : formatPercent(edge.errorPercent),
          unit: `errors · ${over}`,
        },
        { value: edge.p95Ms === null ? null : formatMs(edge.p95Ms), unit: `p95 · ${over}` },
      ]}
    />
  );
}

function ActionsPane({ ends }: { ends: EdgeEnds }) {
  const allFaults = useMesh((data) => data.faults);
  const faults = faultsOf(allFaults, ends);
  const { edge, from, to } = ends;
  const tcp = edge.protocol === 'tcp';
  const oneVersion = to.versions.length < 2;
  const handleFault = () =>
    openDialog({
      kind: 'fault',
      draft: {
        from: from.kind === 'service' ? serviceKeyOf(from) : null,
        to: serviceKeyOf(to),
        ...(tcp ? { kind: 'tcp-latency' } : {}),
      },
    });
  return (
    <Pane title="Do something with this edge">
      <div className="edge-actions">
        <Button variant="fault" icon={Zap} disabled={to.kind !== 'service'} onClick={handleFault}>
          Fault
        </Button>
        <Button
          icon={Split}
          disabled={tcp || oneVersion}
          title={oneVersion ? `${to.service} runs one version` : undefined}
          onClick={() => openDialog({ kind: 'split', service: serviceKeyOf(to) })}
        >
          Split
        </Button>
      </div>
      {faults.map((fault) => (
        <FaultLine key={fault.id} fault={fault} />
      ))}
    </Pane>
  );
}

function FaultLine({ fault }: { fault: FaultView }) {
  const { client } = useAccess();
  const text = `${describeAction(fault)} · ${formatPercent(fault.percent)}`;
  const toggle = (enabled: boolean) =>
    void attempt('Fault', () => client.call('fault.toggle', { id: fault.id, enabled }));
  return (
    <div className="edge-fault">
      <Switch label={`Fault ${text}`} tone="fault" checked={fault.enabled} onChange={toggle} />
      <span className={fault.enabled ? 'strong' : 'muted'}>{text}</span>
      <span className="hint push">{fault.enabled ? `hit ${fault.hits} of ${fault.seen}` : 'off'}</span>
    </div>
  );
}

function WherePane({ ends: { edge, to } }: { ends: EdgeEnds }) {
  if (edge.versions.length === 0) return null;
  return (
    <Pane title="Where it goes">
      <table className="table">
        <tbody>
          {edge.versions.map(({ version, percent, successPercent, p95Ms }) => (
            <tr key={version ?? ''}>
              <td>
                {version === null && to.versions.length > 0 ? (
                  <Chip title="answered by the sidecar itself, by a fault for example">not sent</Chip>
                ) : (
                  <VersionChip version={version} versions={to.versions} />
                )}
              </td>
              <td className="num">{formatPercent(percent)}</td>
              <td className="num">{successPercent === null ? 'no data' : `${formatPercent(successPercent)} ok`}</td>
              <td className="num" title="p95">
                {formatMs(p95Ms)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Pane>
  );
}

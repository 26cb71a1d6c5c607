import { BadgeCheck, ScrollText, Split, Waypoints } from 'lucide-react';
import type { Topology, TopologyEdge, TopologyNode } from '../../../core/contract/shapes.ts';
import { useMesh } from '../../state/mesh-context.tsx';
import { openCertificate, openDialog, openTerminal, openTraffic, selectInTopology } from '../../state/navigation.ts';
import { findNode, serviceKeyOf } from '../../state/topology-names.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { Chip, VersionChip } from '../../ui/chip.tsx';
import { formatBytesPerSecond, formatMs, formatPercent, formatRateShort } from '../../ui/format.ts';
import { MiddleText } from '../../ui/middle-text.tsx';
import { Drawer, EmptyState, Pane, Signals } from '../../ui/panels.tsx';
import { LatencyPane } from './latency-pane.tsx';

const close = () => selectInTopology(null);
const kinds = {
  service: null,
  gateway: 'gateway',
  outside: 'a host outside the mesh',
  caller: 'calls from outside the mesh',
};

export function NodeDrawer({ id }: { id: string }) {
  const topology = useMesh((data) => data.topology);
  const node = findNode(topology, id);
  if (!node || !topology) {
    return (
      <Drawer title="Service" onClose={close}>
        <EmptyState icon={Waypoints} title="Not there any more">
          It is not running, and there was no traffic to it.
        </EmptyState>
      </Drawer>
    );
  }
  return (
    <Drawer title={node.service} chips={<NodeChips node={node} />} onClose={close}>
      {node.kind !== 'caller' && (
        <section className="pane">
          <NodeSignals node={node} windowSeconds={topology.windowSeconds} />
          <LatencyPane from={null} to={node.id} tcp={node.tcp !== null && node.requestsPerSecond === null} />
        </section>
      )}
      {node.kind === 'gateway' && node.workloads[0] && <Reached workload={node.workloads[0].id} />}
      {node.workloads.length > 0 && <WorkloadsPane node={node} />}
      <Edges title="In" topology={topology} edges={topology.edges.filter(({ to }) => to === id)} end="from" />
      <Edges title="Out" topology={topology} edges={topology.edges.filter(({ from }) => from === id)} end="to" />
    </Drawer>
  );
}

function Reached({ workload }: { workload: string }) {
  return (
    <section className="pane">
      <Button onClick={() => openDialog({ kind: 'gateway', workload })}>Where it is reached</Button>
    </section>
  );
}

function NodeChips({ node }: { node: TopologyNode }) {
  const mesh = { attached: 'meshed', partly: 'partly meshed', detached: 'not attached' };
  const tones = { attached: 'ok', partly: 'warn', detached: 'neutral' } as const;
  return (
    <>
      {node.kind === 'service' ? (
        <Chip tone={tones[node.mesh]}>{mesh[node.mesh]}</Chip>
      ) : (
        <Chip>{kinds[node.kind]}</Chip>
      )}
      {node.namespace && <Chip mono>{serviceKeyOf(node)}</Chip>}
    </>
  );
}

function NodeSignals({ node, windowSeconds }: { node: TopologyNode; windowSeconds: number }) {
  const over = `${windowSeconds} s`;
  if (node.tcp && node.requestsPerSecond === null) {
    return (
      <Signals
        figures={[
          { value: String(node.tcp.connections), unit: 'open connections' },
          { value: formatBytesPerSecond(node.tcp.bytesPerSecond), unit: `both ways · ${over}` },
          { value: String(node.workloads.length || 1), unit: 'workloads' },
        ]}
      />
    );
  }
  return (
    <Signals
      figures={[
        {
          value: node.requestsPerSecond === null ? null : formatRateShort(node.requestsPerSecond),
          unit: `requests in · ${over}`,
        },
        {
          value: node.errorPercent === null ? null : formatPercent(node.errorPercent),
          unit: `errors · ${over}`,
        },
        { value: node.p95Ms === null ? null : formatMs(node.p95Ms), unit: `p95 · ${over}` },
      ]}
    />
  );
}

function WorkloadsPane({ node }: { node: TopologyNode }) {
  return (
    <Pane title="Workloads">
      <table className="table">
        <tbody>
          {node.workloads.map(({ id, name, version, mesh }) => (
            <tr key={id}>
              <td>
                <span className="inline">
                  <span
                    className={`dot ${mesh === 'attached' ? 'ok' : mesh === 'degraded' ? 'warn' : 'off'}`}
                    title={mesh}
                  />
                  <span style={{ maxWidth: 190, display: 'flex' }}>
                    <MiddleText text={name} />
                  </span>
                  {version && <VersionChip version={version} versions={node.versions} />}
                </span>
              </td>
              <td className="num">
                <IconButton
                  label={`Certificate of ${name}`}
                  icon={BadgeCheck}
                  disabled={mesh === 'detached'}
                  onClick={() => openCertificate(id)}
                />
                <IconButton
                  label={`Logs of ${name}`}
                  icon={ScrollText}
                  onClick={() => openTerminal({ workload: id, target: 'workload', kind: 'logs' })}
                />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {node.versions.length > 1 && (
        <div style={{ marginTop: 12 }}>
          <Button icon={Split} onClick={() => openTraffic(serviceKeyOf(node))}>
            Split its traffic
          </Button>
        </div>
      )}
    </Pane>
  );
}

function Edges(props: { title: string; topology: Topology; edges: readonly TopologyEdge[]; end: 'from' | 'to' }) {
  const { title, topology, edges, end } = props;
  if (edges.length === 0) return null;
  return (
    <Pane title={title}>
      <table className="table">
        <tbody>
          {edges.map((edge) => (
            <tr key={edge.id}>
              <td>
                <button
                  type="button"
                  className="linklike"
                  onClick={() => selectInTopology({ kind: 'edge', id: edge.id })}
                >
                  <MiddleText text={findNode(topology, edge[end])?.service ?? edge[end]} />
                </button>
              </td>
              <td className="num">
                {edge.tcp && edge.protocol === 'tcp'
                  ? `${edge.tcp.connections} conn`
                  : formatRateShort(edge.requestsPerSecond)}
              </td>
              <td className="num">
                {edge.protocol === 'tcp' ? formatBytesPerSecond(edge.tcp?.bytesPerSecond) : formatMs(edge.p95Ms)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Pane>
  );
}

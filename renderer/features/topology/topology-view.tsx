/**
 * Topology: the live graph of who really calls whom. The layout is stable (layout.ts), items are drawn again only when
 * their picture changes (flow-items.ts). A click on an edge or a node opens the drawer with what can be done about it.
 */
import { ReactFlow, ReactFlowProvider, useReactFlow, useStore } from '@xyflow/react';
import '@xyflow/react/dist/base.css';
import { LayoutGrid, Maximize, Plug, Waypoints } from 'lucide-react';
import { type RefObject, useEffect, useMemo, useRef, useState } from 'react';
import type { Topology } from '../../../core/contract/shapes.ts';
import { attempt, useAccess, useMesh } from '../../state/mesh-context.tsx';
import { navigate, selectInTopology, useNavigation } from '../../state/navigation.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { SearchBox, Segmented } from '../../ui/controls.tsx';
import { plural } from '../../ui/format.ts';
import { EmptyState, View } from '../../ui/panels.tsx';
import { ProjectFrame, ServiceCard, TrafficLine } from './canvas-parts.tsx';
import { EdgeDrawer } from './edge-drawer.tsx';
import { findInTopology } from './filter-topology.ts';
import { FlowItems, type Metric } from './flow-items.ts';
import { boxesOf, presentOf } from './layout.ts';
import { NodeDrawer } from './node-drawer.tsx';
import './topology.css';
import { type LayoutControl, useLayout } from './use-layout.ts';
import { farScale, fitPadding, largestZoom, shiftIntoSight, viewportFor } from './viewport.ts';

const nodeTypes = { service: ServiceCard, box: ProjectFrame };
const edgeTypes = { traffic: TrafficLine };
const metrics: readonly { value: Metric; label: string }[] = [
  { value: 'rate', label: 'rate' },
  { value: 'p95', label: 'p95' },
  { value: 'errors', label: 'errors' },
  { value: 'throughput', label: 'throughput' },
];
const findHelp =
  'Names, or rps, errors, p50, p95 and p99 (ms) with > >= < <= =, or mtls, tcp, http, fault and split; joined by “and”, turned round by “not”. Example: payments and p95 > 100';
/** Below this zoom a graph of many nodes is drawn without figures. */
const coarseZoom = 0.35;
const manyNodes = 60;

export function TopologyView() {
  return (
    <ReactFlowProvider>
      <TopologyScreen />
    </ReactFlowProvider>
  );
}

function TopologyScreen() {
  const topology = useMesh((data) => data.topology);
  const project = useMesh((data) => data.status?.project.dir ?? '');
  const selected = useNavigation((state) => state.selected);
  const [metric, setMetric] = useState<Metric>('p95');
  const [filter, setFilter] = useState('');
  const layout = useLayout(topology, project);
  const flow = useReactFlow();
  const userMoved = useRef(false);
  const empty = !topology || topology.nodes.length === 0;
  const drawer =
    selected?.kind === 'edge' ? <EdgeDrawer id={selected.id} /> : selected ? <NodeDrawer id={selected.id} /> : null;
  return (
    <View
      title="Topology"
      padded={false}
      drawer={empty ? null : drawer}
      toolbar={
        <>
          <Segmented label="Figure on the edges" value={metric} options={metrics} onChange={setMetric} />
          <SearchBox
            label="Find in the graph"
            placeholder="rps > 5 and not mtls"
            help={findHelp}
            value={filter}
            onChange={setFilter}
          />
          <span className="hint push ellipsis start-hint">
            {!empty && !selected && 'Click an edge to see it close, harm it or split it'}
          </span>
          <span className="hint">{topology ? `last ${topology.windowSeconds} s` : ''}</span>
          <IconButton label="Arrange anew" icon={LayoutGrid} disabled={empty} onClick={layout.tidy} />
          <Button
            variant="ghost"
            icon={Maximize}
            disabled={empty}
            onClick={() => {
              userMoved.current = false;
              void flow.fitView({ padding: fitPadding, maxZoom: largestZoom, duration: 200 });
            }}
          >
            Fit
          </Button>
        </>
      }
    >
      {empty ? (
        <NoGraph />
      ) : (
        <Canvas topology={topology} layout={layout} metric={metric} filter={filter} userMoved={userMoved} />
      )}
    </View>
  );
}

interface CanvasProps {
  topology: Topology;
  layout: LayoutControl;
  metric: Metric;
  filter: string;
  /** The user panned or zoomed: from then on only Fit moves the graph. */
  userMoved: RefObject<boolean>;
}

function Canvas({ topology, layout, metric, filter, userMoved }: CanvasProps) {
  const host = useRef<HTMLDivElement>(null);
  const selected = useNavigation((state) => state.selected?.id ?? null);
  const flow = useReactFlow();
  const items = useRef(new FlowItems());
  const found = useMemo(() => findInTopology(topology, filter), [topology, filter]);
  const small = useStore((state) => state.transform[2] < coarseZoom);
  const options = { metric, selected, found, coarse: small && topology.nodes.length > manyNodes };
  const nodes = items.current.nodes(topology, layout.positions, options);
  const edges = items.current.edges(topology, layout.positions, options);

  const show = useRef<() => void>(() => undefined);
  show.current = () => {
    if (!host.current || userMoved.current) return;
    const { clientWidth: width, clientHeight: height } = host.current;
    const ends = edges.find(({ id }) => id === selected);
    const focus = ends ? [ends.source, ends.target] : selected === null ? [] : [selected];
    const boxes = boxesOf(topology.nodes, layout.positions);
    const positions = presentOf(topology.nodes, layout.positions);
    void flow.setViewport(viewportFor({ positions, boxes, focus, width, height }), { duration: 0 });
  };

  useEffect(() => {
    if (layout.turn === 0) return undefined;
    const frame = requestAnimationFrame(() => show.current());
    return () => cancelAnimationFrame(frame);
  }, [layout.turn]);

  useEffect(() => {
    if (!host.current) return undefined;
    const observer = new ResizeObserver(() => show.current());
    observer.observe(host.current);
    return () => observer.disconnect();
  }, []);

  useFocusInSight(host);

  return (
    <div ref={host} className="graph">
      <ReactFlow
        nodes={nodes}
        edges={edges}
        nodeTypes={nodeTypes}
        edgeTypes={edgeTypes}
        onNodeDrag={(_event, node) => layout.move(node.id, node.position)}
        onEdgeClick={(_event, edge) => selectInTopology({ kind: 'edge', id: edge.id })}
        onMove={(event) => {
          if (event) userMoved.current = true;
        }}
        onPaneClick={() => selectInTopology(null)}
        onlyRenderVisibleElements={nodes.length > 60}
        nodesFocusable={false}
        edgesFocusable={false}
        nodesConnectable={false}
        elementsSelectable={false}
        zoomOnDoubleClick={false}
        deleteKeyCode={null}
        minZoom={0.05}
        maxZoom={2}
        proOptions={{ hideAttribution: true }}
        aria-label="Service graph"
      />
      {found && found.nodes.size === 0 && <p className="graph-note">Nothing in the graph fits the filter.</p>}
      {nodes.length === 0 && (
        <p className="graph-note arranging" role="status">
          <span className="dot busy" />
          Arranging {plural(topology.nodes.length, 'service')}
        </p>
      )}
      <FarScale host={host} />
      <AttachHint />
    </div>
  );
}

/** What gets the focus by keyboard is moved into sight, with the graph: the canvas itself must not scroll. */
function useFocusInSight(host: RefObject<HTMLDivElement | null>): void {
  const flow = useReactFlow();
  useEffect(() => {
    const canvas = host.current;
    if (!canvas) return undefined;
    const handleFocus = ({ target }: FocusEvent) => {
      for (const part of canvas.querySelectorAll('.react-flow, .react-flow__renderer')) part.scrollTo(0, 0);
      if (!(target instanceof HTMLElement) || !target.matches(':focus-visible')) return;
      const { x, y } = shiftIntoSight(target.getBoundingClientRect(), canvas.getBoundingClientRect());
      if (x === 0 && y === 0) return;
      const now = flow.getViewport();
      void flow.setViewport({ x: now.x + x, y: now.y + y, zoom: now.zoom });
    };
    canvas.addEventListener('focusin', handleFocus);
    return () => canvas.removeEventListener('focusin', handleFocus);
  }, [host, flow]);
}

/** Seen from far away, frames and the names of projects are drawn thicker and larger, so that they stay in sight. */
function FarScale({ host }: { host: RefObject<HTMLDivElement | null> }) {
  const far = useStore((state) => farScale(state.transform[2]));
  useEffect(() => {
    host.current?.style.setProperty('--far', String(far));
  }, [host, far]);
  return null;
}

/** A graph of services of which none is attached shows no traffic: says so, with the way out. */
function AttachHint() {
  const { client } = useAccess();
  const none = useMesh((data) => data.workloads.length > 0 && data.workloads.every(({ mesh }) => mesh === 'detached'));
  if (!none) return null;
  return (
    <div className="graph-note">
      Nothing is attached yet, so there is no traffic to see.
      <Button
        variant="primary"
        icon={Plug}
        onClick={() => void attempt('Attach all', () => client.call('workload.attach', { select: { all: true } }))}
      >
        Attach all
      </Button>
    </div>
  );
}

function NoGraph() {
  const { client } = useAccess();
  const attached = useMesh((data) => data.workloads.some(({ mesh }) => mesh !== 'detached'));
  if (attached) {
    return (
      <EmptyState icon={Waypoints} title="Waiting for the first request">
        Workloads are attached. As soon as one calls another, both appear here.
      </EmptyState>
    );
  }
  return (
    <EmptyState
      icon={Waypoints}
      title="Attach workloads to see who calls whom"
      actions={
        <>
          <Button onClick={() => navigate('workloads')}>Choose workloads</Button>
          <Button
            variant="primary"
            icon={Plug}
            onClick={() => void attempt('Attach all', () => client.call('workload.attach', { select: { all: true } }))}
          >
            Attach all
          </Button>
        </>
      }
    >
      Nothing is restarted or changed. Traffic shows up within a second.
    </EmptyState>
  );
}

import {
  BaseEdge,
  EdgeLabelRenderer,
  type EdgeProps,
  getBezierPath,
  Handle,
  type NodeProps,
  Position,
  useStore,
} from '@xyflow/react';
import { Clock, Database, DoorOpen, Globe, Lock, LockKeyhole, LockOpen, LogIn, Split, Unplug, Zap } from 'lucide-react';
import { memo } from 'react';
import { selectInTopology } from '../../state/navigation.ts';
import { Chip, VersionChip } from '../../ui/chip.tsx';
import { MiddleText } from '../../ui/middle-text.tsx';
import type { BoxNode, ServiceData, ServiceNode, TrafficData, TrafficEdge } from './flow-items.ts';

const locks = { open: LockOpen, half: LockKeyhole, closed: Lock };
const badgeIcons: Record<string, typeof Zap> = { fault: Zap, split: Split, timeout: Clock };
/** Labels are left out when the graph is this small on screen, unless it has few edges. */
const labelZoom = 0.45;
const fewEdges = 60;

export const ServiceCard = memo(function ServiceCard({ id, data, selected }: NodeProps<ServiceNode>) {
  const isOurs = data.kind === 'service' || data.kind === 'gateway';
  const dashed = !isOurs || data.mesh === 'detached';
  return (
    <div className={`service ${selected ? 'selected' : ''} ${dashed ? 'dashed' : ''} ${data.faded ? 'faded' : ''}`}>
      <Handle type="target" position={Position.Left} isConnectable={false} />
      <button
        type="button"
        data-testid={`node-${id}`}
        aria-label={data.label}
        title={data.label}
        aria-pressed={selected}
        onClick={() => selectInTopology({ kind: 'node', id })}
      >
        <NodeIcon data={data} />
        <span className="service-text">
          <b>
            <MiddleText text={data.title} />
          </b>
          <small className="ellipsis">{data.line}</small>
        </span>
        {data.versions.length > 1 && (
          <span className="service-versions">
            {data.versions.length > 2 ? (
              <Chip title={data.versions.join(', ')}>{data.versions.length} versions</Chip>
            ) : (
              data.versions.map((version) => <VersionChip key={version} version={version} versions={data.versions} />)
            )}
          </span>
        )}
      </button>
      <Handle type="source" position={Position.Right} isConnectable={false} />
    </div>
  );
});

function NodeIcon({ data }: { data: ServiceData }) {
  const icon = { size: 16, strokeWidth: 1.6, 'aria-hidden': true, className: 'service-icon' };
  if (data.kind === 'outside') return <Globe {...icon} />;
  if (data.kind === 'caller') return <LogIn {...icon} />;
  if (data.kind === 'gateway') return <DoorOpen {...icon} />;
  if (data.mesh === 'detached') return <Unplug {...icon} />;
  return data.tcp ? <Database {...icon} /> : <HealthRing errorPercent={data.errorPercent} />;
}

/** The share of requests that were answered well, as a ring; empty without requests. */
function HealthRing({ errorPercent }: { errorPercent: number | null }) {
  const length = 2 * Math.PI * 13;
  const bad = errorPercent === null ? 0 : Math.max(errorPercent > 0.5 ? 2 : 0, (errorPercent / 100) * length);
  return (
    <svg className="ring" width="30" height="30" viewBox="0 0 30 30" aria-hidden>
      <circle cx="15" cy="15" r="13" stroke="var(--line)" />
      {errorPercent !== null && (
        <>
          <circle
            cx="15"
            cy="15"
            r="13"
            stroke="var(--ok)"
            strokeDasharray={`${length - bad} ${length}`}
            transform="rotate(-90 15 15)"
          />
          {bad > 0 && (
            <circle
              cx="15"
              cy="15"
              r="13"
              stroke="var(--error)"
              strokeDasharray={`${bad} ${length}`}
              transform={`rotate(${270 - (bad / length) * 360} 15 15)`}
            />
          )}
        </>
      )}
    </svg>
  );
}

export const ProjectFrame = memo(function ProjectFrame({ data }: NodeProps<BoxNode>) {
  return <div className="project-frame">project · {data.title}</div>;
});

export const TrafficLine = memo(function TrafficLine(props: EdgeProps<TrafficEdge>) {
  const { id, source, target, sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition, data, selected } =
    props;
  const labelled = useStore((state) => state.transform[2] >= labelZoom || state.edges.length <= fewEdges);
  const lively = useStore((state) => state.edges.length <= 200);
  const [path, labelX, labelY] = getBezierPath({ sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition });
  if (!data) return null;
  const state = `${selected ? 'selected' : ''} ${data.faded ? 'faded' : ''}`;
  return (
    <>
      <BaseEdge
        id={id}
        path={path}
        interactionWidth={18}
        className={`traffic ${data.tone} ${data.tcp ? 'tcp' : ''} ${state}`}
      />
      {data.paceSeconds > 0 && lively && !data.faded && (
        <path d={path} className={`flow ${data.tone}`} style={{ animationDuration: `${data.paceSeconds}s` }} />
      )}
      {(labelled || selected) && (
        <EdgeLabelRenderer>
          <TrafficLabel
            id={id}
            testId={`edge-${source}-${target}`}
            data={data}
            x={data.at?.x ?? labelX}
            y={data.at?.y ?? labelY}
            state={state}
            pressed={selected ?? false}
          />
        </EdgeLabelRenderer>
      )}
    </>
  );
});

function TrafficLabel(props: {
  id: string;
  testId: string;
  data: TrafficData;
  x: number;
  y: number;
  state: string;
  pressed: boolean;
}) {
  const { id, testId, data, x, y, state, pressed } = props;
  const LockIcon = locks[data.mtls];
  return (
    <button
      type="button"
      className={`traffic-label nodrag nopan ${state}`}
      data-testid={testId}
      data-mtls={data.mtls}
      aria-label={data.label}
      aria-pressed={pressed}
      title={data.label}
      style={{ transform: `translate(-50%, -50%) translate(${x}px, ${y}px)` }}
      onClick={() => selectInTopology({ kind: 'edge', id })}
    >
      <LockIcon className={`lock ${data.mtls}`} aria-hidden />
      {data.text}
      {data.error && <span className="error">{data.error}</span>}
      {data.badges.map(({ kind, text }) => {
        const Icon = badgeIcons[kind] ?? Clock;
        return (
          <span key={kind + text} className={kind}>
            <Icon aria-hidden />
            {text}
          </span>
        );
      })}
    </button>
  );
}

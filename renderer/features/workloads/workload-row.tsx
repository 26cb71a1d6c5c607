import { BadgeCheck, Cable, EyeOff, RefreshCw, ScrollText, SquareTerminal } from 'lucide-react';
import { memo } from 'react';
import type { WorkloadView } from '../../../core/contract/shapes.ts';
import { attempt, useAccess, useMesh } from '../../state/mesh-context.tsx';
import { openCertificate, openDialog, openTerminal } from '../../state/navigation.ts';
import { Chip } from '../../ui/chip.tsx';
import { Switch } from '../../ui/controls.tsx';
import { formatBytes, formatPercent, plural } from '../../ui/format.ts';
import { type MenuAction, RowMenu } from '../../ui/menu.tsx';
import { MiddleText } from '../../ui/middle-text.tsx';
import { isAttachable, isMeshed } from './group-workloads.ts';
import { renewSidecar } from './renew-sidecar.ts';

export const WorkloadRow = memo(function WorkloadRow({ workload }: { workload: WorkloadView }) {
  const { client } = useAccess();
  const { id, name, image, runtime, version, stateText, state, identity, cost } = workload;
  const meshed = isMeshed(workload);
  const moving = workload.mesh === 'attaching' || workload.mesh === 'detaching';
  const handleChange = (on: boolean) => {
    if (on) void attempt(`Attach ${name}`, () => client.call('workload.attach', { select: { names: [id] } }));
    else openDialog({ kind: 'detach', names: [id] });
  };
  return (
    <tr>
      <td className="workload-name">
        <span className={`dot ${state === 'running' ? 'ok' : 'off'}`} title={stateText} />
        <div>
          <b className="strong">
            <MiddleText text={name} />
          </b>
          <small
            className="hint ellipsis"
            title={`${image ?? (runtime === 'gateway' ? 'gateway' : 'host process')} · ${stateText}`}
          >
            {[image, stateText || state].filter(Boolean).join(' · ')}
          </small>
        </div>
      </td>
      <td>
        {version ? (
          <Chip mono title={version}>
            <span className="ellipsis">{version}</span>
          </Chip>
        ) : (
          <span className="hint">none</span>
        )}
      </td>
      <td>
        <Ports workload={workload} />
      </td>
      <td>
        <MeshCell workload={workload} />
      </td>
      <td className="workload-identity">
        {identity ? (
          <button
            type="button"
            className="linklike mono ellipsis"
            title={`${identity}: open its certificate`}
            onClick={() => openCertificate(id)}
          >
            {identity.replace(/^spiffe:\/\/[^/]+/, '')}
          </button>
        ) : (
          <span className="hint">none</span>
        )}
      </td>
      <td className="num">
        {cost ? (
          <span title={costTitle(cost)}>
            {formatPercent(cost.cpuPercent)} <span className="hint">·</span> {formatBytes(cost.rssBytes)}
          </span>
        ) : (
          <span className="hint">{meshed ? 'no data' : 'none'}</span>
        )}
      </td>
      <td className="num tight">
        <RowMenu label={`Actions of ${name}`} actions={menuOf(workload, () => void renewSidecar(client, workload))} />
      </td>
      <td className="num">
        <Switch
          label={`${name} in the mesh`}
          checked={meshed || workload.mesh === 'attaching'}
          disabled={moving || (!meshed && !isAttachable(workload))}
          title={workload.notAttachable?.message}
          onChange={handleChange}
        />
      </td>
    </tr>
  );
});

/** Silent while the sidecar has what is meant for it. */
function Applied({ workload: { ackedRevision, wantedRevision } }: { workload: WorkloadView }) {
  if (wantedRevision === undefined || (ackedRevision ?? -1) >= wantedRevision) return null;
  return (
    <small style={{ color: 'var(--warn)' }} title="The sidecar has not acknowledged it yet.">
      revision {wantedRevision} on its way, {ackedRevision === null ? 'none' : ackedRevision} in force
    </small>
  );
}

function menuOf({ id, identity, mesh, runtime, state }: WorkloadView, renew: () => void): MenuAction[] {
  const meshed = mesh === 'attached' || mesh === 'degraded';
  const open = (target: 'workload' | 'sidecar', kind: 'logs' | 'shell') => () =>
    openTerminal({ workload: id, target, kind });
  return [
    { label: 'Logs', icon: ScrollText, run: open('workload', 'logs') },
    {
      label: 'Shell',
      icon: SquareTerminal,
      disabled: state !== 'running' || runtime !== 'docker',
      run: open('workload', 'shell'),
    },
    { label: 'Sidecar logs', icon: ScrollText, disabled: !meshed, run: open('sidecar', 'logs') },
    {
      label: 'Sidecar shell',
      icon: SquareTerminal,
      disabled: !meshed || runtime === 'process',
      run: open('sidecar', 'shell'),
    },
    ...(runtime === 'gateway'
      ? [{ label: 'Where it is reached', icon: Cable, run: () => openDialog({ kind: 'gateway', workload: id }) }]
      : []),
    ...(runtime === 'process'
      ? [
          {
            label: 'How to reach services',
            icon: Cable,
            run: () => openDialog({ kind: 'listeners', workload: id }),
          },
        ]
      : []),
    { label: 'Renew the sidecar', icon: RefreshCw, disabled: !meshed || runtime === 'gateway', run: renew },
    { label: 'Certificate', icon: BadgeCheck, disabled: identity === null, run: () => openCertificate(id) },
  ];
}

/** One above the other; the rest is counted, and named by the cell's title. */
const shownPorts = 2;

function Ports({ workload: { ports } }: { workload: WorkloadView }) {
  if (ports.length === 0) return <span className="hint">none</span>;
  return (
    <span
      className="inline wrap"
      style={{ gap: 3 }}
      title={ports.map(({ port, protocol }) => `${port} ${protocol}`).join(', ')}
    >
      {ports.slice(0, shownPorts).map(({ port, protocol, publishedPort }) => (
        <Chip key={port} mono title={publishedPort ? `published as ${publishedPort} on the host` : 'not published'}>
          {publishedPort !== null && publishedPort !== port ? `${publishedPort}→` : ''}
          {port} {protocol}
        </Chip>
      ))}
      {ports.length > shownPorts && <span className="hint">+{ports.length - shownPorts}</span>}
    </span>
  );
}

/** What the figures leave out. UDP passes the sidecar by, but the namespace counts it. */
function costTitle({ eventLoopLagMs, udpPerSecond }: NonNullable<WorkloadView['cost']>): string {
  const lag = `event loop lag ${eventLoopLagMs} ms`;
  if (udpPerSecond === undefined) return lag;
  const { sent, received } = udpPerSecond;
  return `${lag}; UDP of the workload: ${Math.round(sent)} packets/s sent, ${Math.round(received)} received`;
}

function MeshCell({ workload }: { workload: WorkloadView }) {
  const step = useMesh((data) => data.progress[workload.id]);
  const { mesh, reason, notAttachable, unseenConnections, keptConnections } = workload;
  if (notAttachable) {
    return (
      <span className="workload-state" title={notAttachable.message}>
        <Chip icon={EyeOff}>cannot be attached</Chip>
        <small className="hint">{notAttachable.message}</small>
      </span>
    );
  }
  if (mesh === 'attaching' || mesh === 'detaching') {
    const kept = keptConnections && mesh === 'detaching' ? keptConnections : null;
    return (
      <span className="workload-state" role="status">
        <span className="inline" style={{ gap: 6 }}>
          <span className="dot busy" />
          {mesh}
        </span>
        <small className="hint ellipsis">
          {kept && kept.http + kept.tcp > 0
            ? `${kept.http} HTTP, ${kept.tcp} TCP connections kept`
            : (step?.message ?? step?.step ?? reason)}
        </small>
      </span>
    );
  }
  if (step?.operation === 'renew' && step.state === 'running') {
    return (
      <span className="workload-state" role="status">
        <span className="inline" style={{ gap: 6 }}>
          <span className="dot busy" />
          renewing
        </span>
        <small className="hint ellipsis">{step.message ?? step.step}</small>
      </span>
    );
  }
  if (mesh === 'degraded') {
    return (
      <span className="workload-state">
        <Chip tone="warn">
          <span className="dot warn" style={{ width: 5, height: 5 }} />
          degraded
        </Chip>
        <small className="ellipsis" style={{ color: 'var(--warn)' }} title={reason ?? ''}>
          {reason ?? 'the sidecar does not answer'}
        </small>
      </span>
    );
  }
  if (mesh === 'detached') {
    return (
      <span className="workload-state">
        <span className="hint">
          {workload.state === 'running' ? 'not attached' : `not running (${workload.state})`}
        </span>
        {(step?.state === 'failed' || reason) && (
          <small style={{ color: 'var(--error)' }} className="ellipsis" title={step?.message ?? reason ?? ''}>
            {step?.state === 'failed' ? (step.message ?? `${step.step} failed`) : reason}
          </small>
        )}
      </span>
    );
  }
  return (
    <span className="workload-state">
      <Chip tone="ok">
        <span className="dot ok" style={{ width: 5, height: 5 }} />
        meshed
      </Chip>
      <Applied workload={workload} />
      {workload.cost?.overload !== undefined && (
        <small
          style={{ color: 'var(--warn)' }}
          title="New requests are answered 503 (flag OM) until there is room again."
        >
          overloaded: {workload.cost.overload}
        </small>
      )}
      {workload.cost?.leftOut !== undefined && (
        <small
          style={{ color: 'var(--warn)' }}
          className="ellipsis"
          title={workload.cost.leftOut.map(({ name, state, reason }) => `${name}: ${state}, ${reason}`).join('\n')}
        >
          sends nothing to {[...new Set(workload.cost.leftOut.map(({ name }) => name))].join(', ')}
        </small>
      )}
      {unseenConnections !== null && unseenConnections > 0 && (
        <small
          className="hint ellipsis"
          title="They go on unchanged beside the mesh and are seen once they are opened again."
        >
          {plural(unseenConnections, 'connection')} opened before attach {unseenConnections === 1 ? 'is' : 'are'} not
          seen yet
        </small>
      )}
    </span>
  );
}

import { Boxes, ShoppingBag } from 'lucide-react';
import { useState } from 'react';
import type { EngineStatus } from '../../../core/contract/shapes.ts';
import { attempt, useAccess, useMesh } from '../../state/mesh-context.tsx';
import { navigate } from '../../state/navigation.ts';
import { Button } from '../../ui/button.tsx';
import { EmptyState, ErrorState, Loading } from '../../ui/panels.tsx';
import './first-start.css';

/** Shown while nothing is known or nothing runs: says why and what to do, and gives way when workloads appear. */
export function FirstStart() {
  const { feed } = useAccess();
  const status = useMesh((data) => data.status);
  const loaded = useMesh((data) => data.loaded);
  const problem = useMesh((data) => data.problem);
  const connection = useMesh((data) => data.connection);
  if (problem && !loaded) {
    return (
      <Centered>
        <ErrorState title="The mesh could not be read" error={problem} onRetry={() => void feed.refresh()} />
      </Centered>
    );
  }
  if (!loaded || !status) {
    return (
      <Centered>
        <div className="first-loading">
          <Loading lines={5} label="Reading the mesh" />
          <p className="hint">{connection === 'connected' ? 'Reading the mesh' : 'Connecting to the control plane'}</p>
        </div>
      </Centered>
    );
  }
  return (
    <Centered>
      <EmptyState
        icon={status.engine.state === 'connected' ? Boxes : ShoppingBag}
        title={status.engine.state === 'connected' ? 'No containers are running' : 'See a mesh in ten seconds'}
        actions={<StartSample />}
      >
        {status.engine.state === 'connected'
          ? 'Start some with docker run or docker compose up: they appear here by themselves. Or try Meshdesk on six small services of its own.'
          : 'The sample shop is six small services that run as processes on this machine, with traffic between them. No container engine is needed.'}
      </EmptyState>
      <EngineNote engine={status.engine} />
    </Centered>
  );
}

function Centered({ children }: { children: React.ReactNode }) {
  return <div className="first-start">{children}</div>;
}

function StartSample() {
  const { client } = useAccess();
  const starting = useMesh((data) => data.status?.sample === 'starting');
  const step = useMesh((data) => data.progress['*']);
  const [busy, setBusy] = useState(false);
  const start = async () => {
    setBusy(true);
    // Now, not at the end: by then the first services are there, and somebody may be looking at another view.
    navigate('topology');
    await attempt('The sample shop did not start', () => client.call('sample.start', {}));
    setBusy(false);
  };
  const running = busy || starting;
  return (
    <div className="first-sample">
      <Button variant="primary" large icon={ShoppingBag} busy={running} onClick={() => void start()}>
        Start the sample shop
      </Button>
      {running && (
        <div className="first-progress" role="status">
          <span className="bar">
            <i style={{ width: `${step?.percent ?? 5}%` }} />
          </span>
          <small className="hint">{step ? (step.message ?? step.step) : 'starting'}</small>
        </div>
      )}
    </div>
  );
}

function EngineNote({ engine }: { engine: EngineStatus }) {
  if (engine.state === 'connected') return null;
  if (engine.state === 'disabled')
    return <p className="first-engine hint">The container engine is switched off for this run.</p>;
  return (
    <div className="first-engine card">
      <h2 className="caption">Your own containers</h2>
      <p>
        {engine.state === 'connecting' ? 'Looking for a container engine' : 'No container engine answers'}
        {engine.endpoint && (
          <>
            {' at '}
            <span className="mono">{engine.endpoint}</span>
          </>
        )}
        .
      </p>
      {engine.message && <p className="mono hint">{engine.message}</p>}
      <p className="muted">
        Start Docker Desktop, Docker Engine or Podman&apos;s socket, or set <span className="mono">DOCKER_HOST</span> to
        the right one. Meshdesk keeps looking and lists your containers as soon as it answers.
      </p>
    </div>
  );
}

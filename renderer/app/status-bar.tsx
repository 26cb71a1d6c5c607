import type { MeshStatus } from '../../core/contract/shapes.ts';
import { useMesh } from '../state/mesh-context.tsx';
import { formatBytes, formatPercent, formatRate } from '../ui/format.ts';

export function StatusBar() {
  const status = useMesh((data) => data.status);
  const connection = useMesh((data) => data.connection);
  return (
    <footer className="statusbar">
      {status ? (
        <StatusFigures status={status} />
      ) : (
        <span>{connection === 'connected' ? 'Reading the mesh' : 'Connecting to the control plane'}</span>
      )}
    </footer>
  );
}

function StatusFigures({ status }: { status: MeshStatus }) {
  const { sidecars, traffic, cost } = status;
  return (
    <>
      <Engine status={status} />
      <span>
        mTLS <b>{status.mtlsMode.toLowerCase()}</b>
      </span>
      <span>
        revision <b>{status.revision}</b>
        {sidecars.attached > 0 && (
          <>
            , applied to{' '}
            <b>
              {sidecars.acked} of {sidecars.attached}
            </b>
          </>
        )}
      </span>
      <span className="right">
        <span title="over the last 10 s">
          <b>{formatRate(sidecars.attached > 0 ? traffic.requestsPerSecond : null)}</b> · 10 s
        </span>
        <span title="5xx and requests without an answer, over the last 10 s">
          <b>{formatPercent(traffic.errorPercent)}</b> errors
        </span>
        <span title="what the mesh itself costs: CPU of all sidecars; memory of all sidecars and of the control plane">
          mesh: <b>{formatPercent(cost.sidecarsCpuPercent)}</b> CPU ·{' '}
          <b>{formatBytes(cost.sidecarsRssBytes + cost.controlPlaneRssBytes)}</b>
        </span>
      </span>
    </>
  );
}

function Engine({ status: { engine, sample } }: { status: MeshStatus }) {
  const tones = { connected: 'ok', connecting: 'busy', unavailable: 'error', disabled: 'off' } as const;
  const words = {
    connected: `${engine.name ?? 'Engine'} ${engine.version ?? ''}`.trim(),
    connecting: 'Connecting to the engine',
    unavailable: 'No container engine',
    disabled: 'Container engine off',
  };
  return (
    <span className="inline" style={{ gap: 6 }} title={engine.message ?? engine.endpoint ?? undefined}>
      <span className={`dot ${tones[engine.state]}`} />
      <b>{words[engine.state]}</b>
      {engine.state === 'connected' && engine.endpoint && (
        <span>· {engine.endpoint.replace(/^unix:\/\/.*/, 'unix socket')}</span>
      )}
      {sample === 'running' && <span>· sample shop</span>}
    </span>
  );
}

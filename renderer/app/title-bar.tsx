import { Search, Zap } from 'lucide-react';
import { useMesh } from '../state/mesh-context.tsx';
import { navigate, setPaletteOpen } from '../state/navigation.ts';
import { useCountdown } from '../state/use-countdown.ts';
import { formatCountdown, plural } from '../ui/format.ts';
import { shortcutLabel } from './keyboard.ts';

export function TitleBar() {
  const project = useMesh((data) => data.status?.project);
  return (
    <header className="titlebar">
      <span className="brand">
        <svg viewBox="0 0 24 24" width="22" height="22" role="img" aria-label="Meshdesk">
          <path d="M4 18V7l8 6 8-6v11" />
          <circle cx="4" cy="18" r="1.4" />
          <circle cx="20" cy="18" r="1.4" />
          <circle cx="12" cy="13" r="1.4" />
        </svg>
      </span>
      {project && (
        <span className="project">
          {project.name}
          <small className="ellipsis" title={project.dir}>
            {project.dir}
          </small>
        </span>
      )}
      <MeshedChip />
      <FaultChip />
      <button
        type="button"
        className="search"
        onClick={() => setPaletteOpen(true)}
        aria-label="Search or run a command"
      >
        <Search size={14} aria-hidden />
        <span className="ellipsis">Search or run a command</span>
        <kbd>{shortcutLabel('K')}</kbd>
      </button>
    </header>
  );
}

function MeshedChip() {
  const total = useMesh(
    (data) => data.workloads.filter(({ notAttachable, state }) => !notAttachable && state === 'running').length,
  );
  const meshed = useMesh(
    (data) => data.workloads.filter(({ mesh }) => mesh === 'attached' || mesh === 'degraded').length,
  );
  const degraded = useMesh((data) => data.workloads.filter(({ mesh }) => mesh === 'degraded').length);
  if (total === 0) return null;
  const tone = degraded > 0 ? 'warn' : meshed === 0 ? 'neutral' : 'ok';
  return (
    <button type="button" className={`chip ${tone}`} onClick={() => navigate('workloads')}>
      <span className={`dot ${degraded > 0 ? 'warn' : meshed === 0 ? 'off' : 'ok'}`} />
      {meshed} of {total} meshed{degraded > 0 && `, ${degraded} degraded`}
    </button>
  );
}

function FaultChip() {
  const faults = useMesh((data) => data.faults);
  const atMs = useMesh((data) => data.faultsAtMs);
  const on = faults.filter(({ enabled }) => enabled);
  const ends = on.flatMap(({ expiresInMs }) => expiresInMs ?? []);
  const leftMs = useCountdown(ends.length > 0 ? Math.min(...ends) : null, atMs);
  if (on.length === 0) return null;
  return (
    <button type="button" className="chip fault" onClick={() => navigate('faults')}>
      <Zap aria-hidden />
      {plural(on.length, 'fault')} on{leftMs !== null && ` · ${formatCountdown(leftMs)}`}
    </button>
  );
}

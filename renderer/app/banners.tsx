import { TriangleAlert, WifiOff } from 'lucide-react';
import { useAccess, useMesh } from '../state/mesh-context.tsx';
import { Button } from '../ui/button.tsx';

/** What concerns every view: the connection is gone, or the engine is. */
export function Banners() {
  const { feed } = useAccess();
  const connection = useMesh((data) => data.connection);
  const problem = useMesh((data) => data.problem);
  const loaded = useMesh((data) => data.loaded);
  const engine = useMesh((data) => (data.workloads.length > 0 ? data.status?.engine : undefined));
  const lostDocker = useMesh((data) => data.workloads.some(({ runtime }) => runtime === 'docker'));
  if (connection === 'disconnected') {
    return (
      <div className="banner error" role="alert">
        <WifiOff size={14} aria-hidden />
        <b className="strong">Not connected to the control plane.</b>
        <span>
          What you see is from before. {problem ?? 'The mesh itself keeps working; this page connects again by itself.'}
        </span>
      </div>
    );
  }
  if (problem && loaded) {
    return (
      <div className="banner error" role="alert">
        <TriangleAlert size={14} aria-hidden />
        <b className="strong">The mesh could not be read.</b>
        <span className="grow ellipsis">{problem}</span>
        <Button variant="ghost" onClick={() => void feed.refresh()}>
          Try again
        </Button>
      </div>
    );
  }
  if (engine?.state === 'unavailable' && lostDocker) {
    return (
      <div className="banner" role="status">
        <TriangleAlert size={14} aria-hidden />
        <b className="strong">The container engine does not answer.</b>
        <span className="grow ellipsis">{engine.message ?? 'Meshdesk connects by itself once it does.'}</span>
      </div>
    );
  }
  return null;
}

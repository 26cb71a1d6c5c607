import { useEffect, useState } from 'react';
import type { WorkloadView } from '../../../core/contract/shapes.ts';
import { attempt, useAccess, useMesh } from '../../state/mesh-context.tsx';
import { showToast } from '../../state/toasts.ts';
import { Button } from '../../ui/button.tsx';
import { Segmented } from '../../ui/controls.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { plural } from '../../ui/format.ts';
import { isMeshed } from './group-workloads.ts';

type Deadline = '0' | '10000' | '60000' | '600000';
const deadlines: readonly { value: Deadline; label: string; title?: string }[] = [
  { value: '0', label: 'now', title: 'close them at once' },
  { value: '10000', label: '10 s' },
  { value: '60000', label: '1 min' },
  { value: '600000', label: '10 min' },
];

/** Asks how long long-lived TCP connections may stay; then shows how many are still kept until all are gone. */
export function DetachDialog({ names, onClose }: { names: readonly string[] | 'all'; onClose(): void }) {
  const { client } = useAccess();
  const workloads = useMesh((data) => data.workloads);
  const [deadline, setDeadline] = useState<Deadline>('10000');
  const [phase, setPhase] = useState<'asking' | 'detaching' | 'done'>('asking');
  const [started, setStarted] = useState<readonly WorkloadView[]>([]);
  const meshed = workloads.filter(
    (view) => isMeshed(view) && (names === 'all' || names.includes(view.id) || names.includes(view.name)),
  );
  const chosen = phase === 'asking' ? meshed : started;
  const leaving = workloads.filter(({ id, mesh }) => mesh !== 'detached' && chosen.some((view) => view.id === id));
  const what = chosen.length === 1 ? (chosen[0]?.name ?? '') : plural(chosen.length, 'workload');

  useEffect(() => {
    if (phase === 'done') onClose();
  }, [phase, onClose]);

  const detach = async () => {
    setStarted(meshed);
    setPhase('detaching');
    const select = names === 'all' ? ({ all: true } as const) : { names: chosen.map(({ id }) => id) };
    const views = await attempt(`Detach ${what}`, () =>
      client.call('workload.detach', { select, deadlineMs: Number(deadline) }),
    );
    const again = () =>
      void attempt(`Attach ${what}`, () =>
        client.call('workload.attach', { select: { names: meshed.map(({ id }) => id) } }),
      );
    if (views)
      showToast('ok', `${what} detached`, 'Nothing of the mesh is left there.', { label: 'Attach again', run: again });
    setPhase('done');
  };

  if (phase !== 'asking') {
    return (
      <Dialog
        title={`Detaching ${what}`}
        onClose={onClose}
        footer={<Button onClick={onClose}>Continue in the background</Button>}
      >
        <KeptTable workloads={leaving} />
      </Dialog>
    );
  }
  return (
    <Dialog
      title={`Detach ${what}?`}
      description="Traffic goes directly again; nothing is restarted and no request is lost. HTTP connections end politely between two requests."
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button variant="primary" disabled={chosen.length === 0} onClick={() => void detach()}>
            Detach
          </Button>
        </>
      }
    >
      <div className="inline wrap">
        <span className="muted grow">Keep long-lived TCP connections for</span>
        <Segmented label="Deadline for TCP connections" value={deadline} options={deadlines} onChange={setDeadline} />
      </div>
      <p className="hint small">
        A database pool, for example. They end by themselves earlier when the application closes them.
      </p>
    </Dialog>
  );
}

function KeptTable({
  workloads,
}: {
  workloads: readonly { id: string; name: string; keptConnections: { http: number; tcp: number } | null }[];
}) {
  if (workloads.length === 0) return <p className="muted">Removing what is left of the mesh.</p>;
  return (
    <table className="table">
      <thead>
        <tr>
          <th>Workload</th>
          <th className="num">HTTP kept</th>
          <th className="num">TCP kept</th>
        </tr>
      </thead>
      <tbody>
        {workloads.map(({ id, name, keptConnections }) => (
          <tr key={id}>
            <td>{name}</td>
            <td className="num">{keptConnections?.http ?? 'no data'}</td>
            <td className="num">{keptConnections?.tcp ?? 'no data'}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

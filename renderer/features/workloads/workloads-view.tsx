/**
 * Workloads: what runs on this machine, grouped by compose project, and its state in the mesh. One switch attaches one
 * workload or a group. Shows logs and a shell in a panel below. Must not decide what can be attached: the view says so.
 */
import { Plug, SearchX, Unplug } from 'lucide-react';
import { useState } from 'react';
import { attempt, useAccess, useMesh } from '../../state/mesh-context.tsx';
import { openDialog, useNavigation } from '../../state/navigation.ts';
import { Button } from '../../ui/button.tsx';
import { SearchBox, Switch } from '../../ui/controls.tsx';
import { EmptyState, View } from '../../ui/panels.tsx';
import { groupWorkloads, isAttachable, isMeshed, type WorkloadGroup } from './group-workloads.ts';
import { TerminalPanel } from './terminal-panel.tsx';
import { WorkloadRow } from './workload-row.tsx';
import './workloads.css';

export function WorkloadsView() {
  const workloads = useMesh((data) => data.workloads);
  const terminal = useNavigation((state) => state.terminal);
  const [filter, setFilter] = useState('');
  const groups = groupWorkloads(workloads, filter);
  return (
    <View
      title="Workloads"
      padded={false}
      toolbar={
        <>
          <SearchBox
            label="Filter workloads"
            placeholder="name, image, port, state"
            value={filter}
            onChange={setFilter}
          />
          <span className="push" />
          <AllButtons />
        </>
      }
    >
      <div className="workloads-layout">
        <div className="workloads-scroll">
          {groups.length === 0 && (
            <EmptyState
              icon={SearchX}
              title="No workload fits"
              actions={<Button onClick={() => setFilter('')}>Clear the filter</Button>}
            >
              {workloads.length} workloads are hidden by the filter.
            </EmptyState>
          )}
          {groups.map((group) => (
            <GroupCard key={group.key} group={group} />
          ))}
        </div>
        {terminal && <TerminalPanel key={`${terminal.workload}${terminal.target}${terminal.kind}`} of={terminal} />}
      </div>
    </View>
  );
}

function AllButtons() {
  const { client } = useAccess();
  const workloads = useMesh((data) => data.workloads);
  const left = workloads.filter((view) => isAttachable(view) && view.mesh === 'detached').length;
  const busy = workloads.some(({ mesh }) => mesh === 'attaching');
  const meshed = workloads.some(isMeshed);
  return (
    <>
      <Button
        variant="ghost"
        icon={Unplug}
        disabled={!meshed}
        onClick={() => openDialog({ kind: 'detach', names: 'all' })}
      >
        Detach all
      </Button>
      <Button
        variant="primary"
        icon={Plug}
        busy={busy}
        disabled={left === 0}
        title={left === 0 ? 'everything that can be attached is' : `${left} not attached`}
        onClick={() => void attempt('Attach all', () => client.call('workload.attach', { select: { all: true } }))}
      >
        Attach all
      </Button>
    </>
  );
}

function GroupCard({ group }: { group: WorkloadGroup }) {
  const { client } = useAccess();
  const attachable = group.workloads.filter(isAttachable);
  const meshed = attachable.filter(isMeshed);
  const busy = attachable.some(({ mesh }) => mesh === 'attaching' || mesh === 'detaching');
  const ids = attachable.map(({ id }) => id);
  const handleChange = (on: boolean) => {
    if (on) void attempt(`Attach ${group.title}`, () => client.call('workload.attach', { select: { names: ids } }));
    else openDialog({ kind: 'detach', names: meshed.map(({ id }) => id) });
  };
  const kinds = {
    compose: 'compose project',
    containers: null,
    processes: null,
    gateways: 'take traffic from outside',
  };
  return (
    <section className="card clip workloads-group" aria-label={group.title}>
      <header>
        <h2>{group.title}</h2>
        {kinds[group.kind] && <span className="hint">{kinds[group.kind]}</span>}
        <span className="hint push">
          {meshed.length} of {attachable.length} meshed
        </span>
        <Switch
          label={`${group.title}: all in the mesh`}
          checked={attachable.length > 0 && meshed.length === attachable.length}
          disabled={attachable.length === 0 || busy}
          onChange={handleChange}
        />
      </header>
      <div className="workloads-table">
        <table className="table">
          <thead>
            <tr>
              <th>Name</th>
              <th>Version</th>
              <th>Ports</th>
              <th>Mesh</th>
              <th>Identity</th>
              <th className="num" title="CPU and memory of its sidecar">
                Sidecar
              </th>
              <th>
                <span className="visually-hidden">Actions</span>
              </th>
              <th className="num">
                <span className="visually-hidden">In the mesh</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {group.workloads.map((workload) => (
              <WorkloadRow key={workload.id} workload={workload} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

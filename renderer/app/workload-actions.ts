import {
  BadgeCheck,
  Cable,
  FolderCheck,
  FolderX,
  Plug,
  RefreshCw,
  ScrollText,
  SquareTerminal,
  Unplug,
} from 'lucide-react';
import type { ContractClient } from '../../core/contract/client.ts';
import type { WorkloadView } from '../../core/contract/shapes.ts';
import { renewSidecar } from '../features/workloads/renew-sidecar.ts';
import { attempt } from '../state/mesh-context.tsx';
import { openCertificate, openDialog, openTerminal } from '../state/navigation.ts';
import type { PaletteAction } from './palette-action.ts';

const isMeshed = ({ mesh }: WorkloadView) => mesh === 'attached' || mesh === 'degraded';

/** What can be done with workloads, one by one and by compose project. */
export function workloadActions(client: ContractClient, workloads: readonly WorkloadView[]): PaletteAction[] {
  const open = workloads.filter(({ notAttachable }) => !notAttachable);
  return [...projectActions(client, open), ...open.flatMap((view) => actionsOf(client, view))];
}

function projectActions(client: ContractClient, workloads: readonly WorkloadView[]): PaletteAction[] {
  const projects = [...new Set(workloads.flatMap(({ project }) => project ?? []))].sort();
  return projects.flatMap((project) => {
    const members = workloads.filter((view) => view.project === project);
    const meshed = members.filter(isMeshed).map(({ id }) => id);
    const ids = members.map(({ id }) => id);
    const attach = {
      group: 'Workloads',
      name: `Attach project ${project}`,
      icon: FolderCheck,
      run: () => void attempt(`Attach ${project}`, () => client.call('workload.attach', { select: { names: ids } })),
    };
    const detach = {
      group: 'Workloads',
      name: `Detach project ${project}`,
      icon: FolderX,
      run: () => openDialog({ kind: 'detach', names: meshed }),
    };
    return [...(meshed.length < members.length ? [attach] : []), ...(meshed.length > 0 ? [detach] : [])];
  });
}

function actionsOf(client: ContractClient, view: WorkloadView): PaletteAction[] {
  const { id, name, identity, runtime, state } = view;
  const action = (text: string, icon: PaletteAction['icon'], run: () => void): PaletteAction => ({
    group: 'Workloads',
    name: text,
    icon,
    run,
  });
  const terminal = (target: 'workload' | 'sidecar', kind: 'logs' | 'shell') => () =>
    openTerminal({ workload: id, target, kind });
  const meshed = isMeshed(view);
  const attach = () =>
    void attempt(`Attach ${name}`, () => client.call('workload.attach', { select: { names: [id] } }));
  const actions = [
    meshed
      ? action(`Detach ${name}`, Unplug, () => openDialog({ kind: 'detach', names: [id] }))
      : action(`Attach ${name}`, Plug, attach),
    action(`Logs of ${name}`, ScrollText, terminal('workload', 'logs')),
  ];
  if (runtime === 'docker' && state === 'running')
    actions.push(action(`Shell of ${name}`, SquareTerminal, terminal('workload', 'shell')));
  if (meshed) {
    actions.push(action(`Sidecar logs of ${name}`, ScrollText, terminal('sidecar', 'logs')));
    if (runtime !== 'process')
      actions.push(action(`Sidecar shell of ${name}`, SquareTerminal, terminal('sidecar', 'shell')));
    if (runtime !== 'gateway')
      actions.push(action(`Renew the sidecar of ${name}`, RefreshCw, () => void renewSidecar(client, view)));
  }
  if (runtime === 'gateway')
    actions.push(action(`Where ${name} is reached`, Cable, () => openDialog({ kind: 'gateway', workload: id })));
  if (runtime === 'process')
    actions.push(action(`How ${name} reaches services`, Cable, () => openDialog({ kind: 'listeners', workload: id })));
  if (identity) actions.push(action(`Certificate of ${name}`, BadgeCheck, () => openCertificate(id)));
  return actions;
}

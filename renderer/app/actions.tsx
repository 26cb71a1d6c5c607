import {
  BadgeCheck,
  Ban,
  type LucideIcon,
  Moon,
  Plug,
  Plus,
  Redo2,
  RefreshCw,
  RotateCw,
  ScrollText,
  ShoppingBag,
  Split,
  Square,
  Sun,
  SunMoon,
  Undo2,
  Unplug,
  Waypoints,
  Zap,
} from 'lucide-react';
import type { ContractClient } from '../../core/contract/client.ts';
import { renewSidecar } from '../features/workloads/renew-sidecar.ts';
import { attempt, useAccess, useMesh } from '../state/mesh-context.tsx';
import type { MeshData } from '../state/mesh-store.ts';
import {
  navigate,
  openCertificate,
  openDialog,
  openTerminal,
  openTraffic,
  selectInTopology,
} from '../state/navigation.ts';
import { showToast } from '../state/toasts.ts';
import { findEdge, serviceKeyOf } from '../state/topology-names.ts';
import { plural } from '../ui/format.ts';
import { applyTheme } from '../ui/theme.ts';
import { shortcutLabel } from './keyboard.ts';
import { views } from './views.tsx';

export interface PaletteAction {
  readonly group: string;
  readonly name: string;
  readonly icon: LucideIcon;
  readonly hint?: string;
  readonly keywords?: string;
  run(): void;
}

export function usePaletteActions(): readonly PaletteAction[] {
  const { client } = useAccess();
  const data = useMesh((state) => state);
  return [
    ...views.map(({ label, icon, name }, place) => ({
      group: 'Go to',
      name: label,
      icon,
      hint: shortcutLabel(String(place + 1)),
      run: () => navigate(name),
    })),
    ...(data.connection === 'connected' ? meshActions(client, data) : []),
    { group: 'Appearance', name: 'Theme: follow the system', icon: SunMoon, run: () => applyTheme('system') },
    { group: 'Appearance', name: 'Theme: dark', icon: Moon, run: () => applyTheme('dark') },
    { group: 'Appearance', name: 'Theme: light', icon: Sun, run: () => applyTheme('light') },
  ];
}

function meshActions(client: ContractClient, data: MeshData): PaletteAction[] {
  return [
    ...wholeMeshActions(client, data),
    ...data.workloads.filter(({ notAttachable }) => !notAttachable).flatMap((view) => workloadActions(client, view)),
    ...(data.topology?.nodes ?? [])
      .filter(({ kind }) => kind === 'service')
      .map(({ id, service }) => ({
        group: 'Services',
        name: `Show ${service} in the topology`,
        icon: Waypoints,
        run: () => {
          navigate('topology');
          selectInTopology({ kind: 'node', id });
        },
      })),
    ...(data.topology?.nodes ?? [])
      .filter(({ kind, versions }) => kind === 'service' && versions.length > 1)
      .map((node) => ({
        group: 'Services',
        name: `Split traffic of ${node.service}`,
        icon: Split,
        run: () => openTraffic(serviceKeyOf(node)),
      })),
    ...(data.topology?.edges ?? [])
      .flatMap(({ id, protocol }) => (protocol === 'http' ? (findEdge(data.topology, id) ?? []) : []))
      .filter(({ to }) => to.kind === 'service')
      .map(({ from, to }) => ({
        group: 'Faults',
        name: `Inject a fault: ${from.service} → ${to.service}`,
        icon: Zap,
        run: () =>
          openDialog({
            kind: 'fault',
            draft: { from: from.kind === 'service' ? serviceKeyOf(from) : null, to: serviceKeyOf(to) },
          }),
      })),
  ];
}

function wholeMeshActions(client: ContractClient, data: MeshData): PaletteAction[] {
  const rotate = (input: { all: true } | { root: true }) => async () => {
    const views = await attempt('Rotate', () => client.call('certificate.rotate', input));
    if (views) showToast('ok', `${plural(views.length, 'certificate')} rotated`);
  };
  const actions: PaletteAction[] = [
    {
      group: 'Mesh',
      name: 'Attach all',
      icon: Plug,
      run: () => void attempt('Attach all', () => client.call('workload.attach', { select: { all: true } })),
    },
    { group: 'Mesh', name: 'Detach all', icon: Unplug, run: () => openDialog({ kind: 'detach', names: 'all' }) },
    { group: 'Mesh', name: 'Rotate all certificates', icon: RotateCw, run: () => void rotate({ all: true })() },
    ...historyActions(client),
    {
      group: 'Faults',
      name: 'Clear all faults',
      icon: Ban,
      keywords: 'panic',
      run: () => void attempt('Clear all', () => client.call('fault.clear', { all: true })),
    },
    {
      group: 'Faults',
      name: 'New fault',
      icon: Plus,
      run: () => openDialog({ kind: 'fault', draft: { from: null, to: '' } }),
    },
  ];
  if (data.status?.sample === 'stopped') {
    actions.push({
      group: 'Mesh',
      name: 'Start the sample shop',
      icon: ShoppingBag,
      run: () => void attempt('Sample shop', () => client.call('sample.start', {})),
    });
  } else if (data.status?.sample === 'running') {
    actions.push({
      group: 'Mesh',
      name: 'Stop the sample shop',
      icon: Square,
      run: () => void attempt('Sample shop', () => client.call('sample.stop', {})),
    });
  }
  return actions;
}

function historyActions(client: ContractClient): PaletteAction[] {
  const step = async (method: 'config.undo' | 'config.redo', what: string, done: string) => {
    const entry = await attempt(what, () => client.call(method, {}));
    if (entry) showToast('ok', `${done}: ${entry.label}`);
  };
  return [
    {
      group: 'Config',
      name: 'Undo the last change of the configuration',
      icon: Undo2,
      keywords: 'take back history',
      run: () => void step('config.undo', 'Undo', 'Taken back'),
    },
    {
      group: 'Config',
      name: 'Redo what was undone last',
      icon: Redo2,
      keywords: 'bring back history configuration',
      run: () => void step('config.redo', 'Redo', 'Brought back'),
    },
  ];
}

function workloadActions(
  client: ContractClient,
  { id, name, mesh, identity }: MeshData['workloads'][number],
): PaletteAction[] {
  const attached = mesh === 'attached' || mesh === 'degraded';
  const actions: PaletteAction[] = [
    attached
      ? {
          group: 'Workloads',
          name: `Detach ${name}`,
          icon: Unplug,
          run: () => openDialog({ kind: 'detach', names: [id] }),
        }
      : {
          group: 'Workloads',
          name: `Attach ${name}`,
          icon: Plug,
          run: () => void attempt(`Attach ${name}`, () => client.call('workload.attach', { select: { names: [id] } })),
        },
    {
      group: 'Workloads',
      name: `Logs of ${name}`,
      icon: ScrollText,
      run: () => openTerminal({ workload: id, target: 'workload', kind: 'logs' }),
    },
  ];
  if (attached)
    actions.push({
      group: 'Workloads',
      name: `Renew the sidecar of ${name}`,
      icon: RefreshCw,
      run: () => void renewSidecar(client, { id, name }),
    });
  if (identity)
    actions.push({
      group: 'Workloads',
      name: `Certificate of ${name}`,
      icon: BadgeCheck,
      run: () => openCertificate(id),
    });
  return actions;
}

import {
  Ban,
  Download,
  FilePlus2,
  FileText,
  FolderOpen,
  History,
  Moon,
  Plug,
  Plus,
  Redo2,
  RotateCw,
  Search,
  ShoppingBag,
  Square,
  Sun,
  SunMoon,
  Undo2,
  Unplug,
} from 'lucide-react';
import type { ContractClient } from '../../core/contract/client.ts';
import { attempt, useAccess, useMesh } from '../state/mesh-context.tsx';
import type { MeshData } from '../state/mesh-store.ts';
import { navigate, openDialog } from '../state/navigation.ts';
import { offerFaults } from '../state/offer-undo.ts';
import { showToast } from '../state/toasts.ts';
import { plural } from '../ui/format.ts';
import { applyTheme } from '../ui/theme.ts';
import { shortcutLabel } from './keyboard.ts';
import type { PaletteAction } from './palette-action.ts';
import { serviceActions } from './service-actions.ts';
import { views } from './views.tsx';
import { workloadActions } from './workload-actions.ts';

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
    ...viewActions(),
    ...workloadActions(client, data.workloads),
    ...serviceActions(client, data),
  ];
}

/** What a view opens by a button of its own. */
function viewActions(): PaletteAction[] {
  const tryRequest = () => {
    navigate('traffic');
    openDialog({ kind: 'explain', id: null, service: null });
  };
  return [
    { group: 'Traffic', name: 'Try a request', icon: Search, keywords: ['explain', 'route'], run: tryRequest },
    { group: 'Traffic', name: 'Show the YAML of the routes', icon: FileText, run: () => navigate('traffic', 'yaml') },
    { group: 'Config', name: 'New file', icon: FilePlus2, run: () => navigate('config', 'new-file') },
    {
      group: 'Config',
      name: 'Import files',
      icon: Download,
      keywords: ['kubectl', 'helm', 'compose', 'paste'],
      run: () => navigate('config', 'import'),
    },
    { group: 'Config', name: 'Show the history', icon: History, run: () => navigate('config', 'history') },
    {
      group: 'Export',
      name: 'Write the export to a folder',
      icon: FolderOpen,
      keywords: ['istio', 'kubernetes'],
      run: () => navigate('export', 'write-export'),
    },
  ];
}

function wholeMeshActions(client: ContractClient, data: MeshData): PaletteAction[] {
  const rotate = async () => {
    const views = await attempt('Rotate', () => client.call('certificate.rotate', { all: true }));
    if (views) showToast('ok', `${plural(views.length, 'certificate')} rotated`);
  };
  const clear = async () => {
    const left = await attempt('Clear all', () => client.call('fault.clear', { all: true }));
    if (left) offerFaults(client, 'All faults are cleared', data.faults);
  };
  const actions: PaletteAction[] = [
    {
      group: 'Mesh',
      name: 'Attach all',
      icon: Plug,
      run: () => void attempt('Attach all', () => client.call('workload.attach', { select: { all: true } })),
    },
    { group: 'Mesh', name: 'Detach all', icon: Unplug, run: () => openDialog({ kind: 'detach', names: 'all' }) },
    { group: 'Mesh', name: 'Rotate all certificates', icon: RotateCw, run: () => void rotate() },
    {
      group: 'Mesh',
      name: 'Rotate the root',
      icon: RotateCw,
      keywords: ['certificate', 'ca'],
      run: () => navigate('security', 'rotate-root'),
    },
    ...historyActions(client),
    {
      group: 'Faults',
      name: 'Clear all faults',
      icon: Ban,
      keywords: ['panic'],
      run: () => void clear(),
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
      keywords: ['take', 'back', 'history'],
      run: () => void step('config.undo', 'Undo', 'Taken back'),
    },
    {
      group: 'Config',
      name: 'Redo what was undone last',
      icon: Redo2,
      keywords: ['bring', 'back', 'history', 'configuration'],
      run: () => void step('config.redo', 'Redo', 'Brought back'),
    },
  ];
}

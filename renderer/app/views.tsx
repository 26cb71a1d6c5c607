import { ArrowUpFromLine, FileCode2, type LucideIcon, Server, ShieldCheck, Split, Waypoints, Zap } from 'lucide-react';
import type { ComponentType } from 'react';
import { ConfigView } from '../features/config/config-view.tsx';
import { ExportView } from '../features/export/export-view.tsx';
import { FaultsView } from '../features/faults/faults-view.tsx';
import { SecurityView } from '../features/security/security-view.tsx';
import { TopologyView } from '../features/topology/topology-view.tsx';
import { TrafficView } from '../features/traffic/traffic-view.tsx';
import { WorkloadsView } from '../features/workloads/workloads-view.tsx';
import type { ViewName } from '../state/navigation.ts';

export interface ViewEntry {
  readonly name: ViewName;
  readonly label: string;
  readonly icon: LucideIcon;
  readonly component: ComponentType;
}

/** In the order of the rail; Ctrl/Cmd+1 opens the first. */
export const views: readonly ViewEntry[] = [
  { name: 'workloads', label: 'Workloads', icon: Server, component: WorkloadsView },
  { name: 'topology', label: 'Topology', icon: Waypoints, component: TopologyView },
  { name: 'traffic', label: 'Traffic', icon: Split, component: TrafficView },
  { name: 'faults', label: 'Faults', icon: Zap, component: FaultsView },
  { name: 'security', label: 'Security', icon: ShieldCheck, component: SecurityView },
  { name: 'config', label: 'Config', icon: FileCode2, component: ConfigView },
  { name: 'export', label: 'Export', icon: ArrowUpFromLine, component: ExportView },
];

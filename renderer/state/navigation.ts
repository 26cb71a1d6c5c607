/** Where the user is: view, what is selected in it, and which dialog is open. In memory, except for the view's name in the address. */
import { create } from 'zustand';
import type { FaultView } from '../../core/contract/shapes.ts';

export const viewNames = ['workloads', 'topology', 'traffic', 'faults', 'security', 'config', 'export'] as const;
export type ViewName = (typeof viewNames)[number];

export interface FaultDraft {
  readonly id?: string;
  readonly from: string | null;
  readonly to: string;
  readonly route?: string | null;
  /** What a new one begins with, by its name in the dialog; default: a delay. */
  readonly kind?: string;
  /** Of the fault that is changed; absent: a new one. */
  readonly spec?: FaultView['spec'];
}

export type OpenDialog =
  | { readonly kind: 'fault'; readonly draft: FaultDraft }
  | { readonly kind: 'split'; readonly service: string }
  /** A request that happened, or one that is tried, to this service. */
  | { readonly kind: 'explain'; readonly id: string | null; readonly service: string | null }
  | { readonly kind: 'listeners'; readonly workload: string }
  | { readonly kind: 'gateway'; readonly workload: string }
  | { readonly kind: 'detach'; readonly names: readonly string[] | 'all' };

/** Something of a view that is opened from elsewhere too. */
export type Panel = 'yaml' | 'rotate-root' | 'new-file' | 'import' | 'history' | 'write-export';

export interface Navigation {
  view: ViewName;
  /** Of the current view; closed when another view is shown. */
  panel: Panel | null;
  /** Edge or node of the topology. */
  selected: { readonly kind: 'edge' | 'node'; readonly id: string } | null;
  /** Service key in Traffic. */
  service: string | null;
  /** Workload id in Security. */
  certificate: string | null;
  /** File in Config, and where in it; a new object goes there again. */
  configFile: { readonly path: string; readonly line: number | null; readonly column: number } | null;
  terminal: {
    readonly workload: string;
    readonly target: 'workload' | 'sidecar';
    readonly kind: 'logs' | 'shell';
  } | null;
  dialog: OpenDialog | null;
  paletteOpen: boolean;
}

export const useNavigation = create<Navigation>(() => ({
  view: 'topology',
  panel: null,
  selected: null,
  service: null,
  certificate: null,
  configFile: null,
  terminal: null,
  dialog: null,
  paletteOpen: false,
}));

const set = useNavigation.setState;

export const navigate = (view: ViewName, panel: Panel | null = null) => set({ view, panel });
export const setPanel = (panel: Panel | null) => set({ panel });
export const selectInTopology = (selected: Navigation['selected']) => set({ selected });
/** What Escape closes: whatever details are shown beside a view. */
export const closeDrawers = () =>
  set(({ panel }) => ({ selected: null, certificate: null, panel: panel === 'history' ? null : panel }));
export const openTraffic = (service: string) => set({ view: 'traffic', service, panel: null });
export const openCertificate = (workload: string) => set({ view: 'security', certificate: workload, panel: null });
export const openConfig = (path: string, line: number | null = null, column = 1) =>
  set({ view: 'config', configFile: { path, line, column } });
export const openTerminal = (terminal: Navigation['terminal']) => set({ view: 'workloads', terminal, panel: null });
export const closeTerminal = () => set({ terminal: null });
export const openDialog = (dialog: OpenDialog) => set({ dialog, paletteOpen: false });
export const closeDialog = () => set({ dialog: null });
export const setPaletteOpen = (paletteOpen: boolean) => set({ paletteOpen });

/**
 * The mesh as the UI knows it: one store, fed by the contract's events. Order of work: subscribe, hold what arrives,
 * fetch the whole picture, drop what is older than it, then follow the events. A lost connection is a gap: everything is
 * fetched again. Views read from here and never keep copies of their own.
 */
import { createStore, type StoreApi } from 'zustand/vanilla';
import type { ContractClient } from '../../core/contract/client.ts';
import type { EventName, EventPayload } from '../../core/contract/contract.ts';
import { MeshError } from '../../core/contract/errors.ts';
import type { FaultView, MeshStatus, Progress, Topology, WorkloadView } from '../../core/contract/shapes.ts';

export interface MeshData {
  connection: 'connecting' | 'connected' | 'disconnected';
  /** True once the first whole picture is here. */
  loaded: boolean;
  /** Why the whole picture could not be fetched, else `null`. */
  problem: string | null;
  status: MeshStatus | null;
  workloads: readonly WorkloadView[];
  topology: Topology | null;
  faults: readonly FaultView[];
  /** When `faults` arrived (monotonic ms): the base for counting the time left down. */
  faultsAtMs: number;
  /** Rises when routes, or certificates, changed: views that show them fetch again. */
  splitsChange: number;
  certificatesChange: number;
  /** Rises when the project's files, or what is found in them, changed. */
  configChange: number;
  /** Errors in the project's files; `null`: not told yet. */
  configErrors: number | null;
  /** Latest step of every long operation under way, by workload id; `*` for those that concern all. */
  progress: Readonly<Record<string, Progress>>;
}

export interface MeshFeed {
  readonly store: StoreApi<MeshData>;
  /** Fetches the whole picture again. */
  refresh(): Promise<void>;
  close(): void;
}

type Whole = Pick<MeshData, 'status' | 'workloads' | 'topology' | 'faults'>;

export const emptyMesh: MeshData = {
  connection: 'connecting',
  loaded: false,
  problem: null,
  status: null,
  workloads: [],
  topology: null,
  faults: [],
  faultsAtMs: 0,
  splitsChange: 0,
  certificatesChange: 0,
  configChange: 0,
  configErrors: null,
  progress: {},
};

export function createMeshFeed(client: ContractClient, monotonicMs: () => number = () => performance.now()): MeshFeed {
  const store = createStore<MeshData>(() => emptyMesh);
  const apply = (change: (data: MeshData) => Partial<MeshData>) => store.setState((data) => change(data));
  let held: (() => void)[] | null = null;
  let fetchNumber = 0;
  let wasConnected = false;
  let listening = false;

  const follow = <E extends EventName>(
    event: E,
    change: (data: MeshData, payload: EventPayload<E>) => Partial<MeshData>,
  ) =>
    client.on(event, (payload) => {
      const run = () => apply((data) => change(data, payload));
      if (held) held.push(run);
      else run();
    });

  const refresh = async () => {
    fetchNumber += 1;
    const mine = fetchNumber;
    held ??= [];
    try {
      const whole = await fetchWhole(client);
      if (mine !== fetchNumber) return;
      apply(() => ({ ...whole, faultsAtMs: monotonicMs(), loaded: true, problem: null }));
    } catch (error) {
      if (mine !== fetchNumber) return;
      apply(() => ({ problem: error instanceof Error ? error.message : String(error) }));
    }
    const waiting = held ?? [];
    held = null;
    for (const run of waiting) run();
  };

  /** Waiting helps against a control plane that is gone, not against one that no longer knows this page. */
  const explain = async () => {
    try {
      await client.call('mesh.status', {});
    } catch (error) {
      const refused = error instanceof MeshError && error.code === 'UNAUTHORIZED';
      if (refused) apply(() => ({ problem: `${error.message} ${error.hint}` }));
    }
  };

  const stops = [
    follow('status', (_data, status) => ({ status })),
    follow('workloads', (data, workloads) => ({ workloads, progress: dropFinished(data.progress, workloads) })),
    follow('topology', (data, topology) => (data.topology && topology.atMs < data.topology.atMs ? {} : { topology })),
    follow('faults', (_data, faults) => ({ faults, faultsAtMs: monotonicMs() })),
    follow('splits', (data) => ({ splitsChange: data.splitsChange + 1 })),
    follow('certificates', (data) => ({ certificatesChange: data.certificatesChange + 1 })),
    follow('config', (data, { errors }) => ({ configChange: data.configChange + 1, configErrors: errors })),
    follow('progress', (data, progress) => ({ progress: withProgress(data.progress, progress) })),
    client.onConnection((connected) => {
      if (connected) {
        apply((data) => ({
          connection: 'connected',
          splitsChange: data.splitsChange + 1,
          certificatesChange: data.certificatesChange + 1,
          configChange: data.configChange + 1,
        }));
        void refresh();
      } else {
        apply(() => ({ connection: wasConnected ? 'disconnected' : 'connecting' }));
        if (listening) void explain();
      }
      wasConnected ||= connected;
    }),
  ];
  listening = true;
  return {
    store,
    refresh,
    close() {
      fetchNumber += 1;
      for (const stop of stops) stop();
      client.close();
    },
  };
}

async function fetchWhole(client: ContractClient): Promise<Whole> {
  const [status, workloads, topology, faults] = await Promise.all([
    client.call('mesh.status', {}),
    client.call('workload.list', {}),
    client.call('topology.get', {}),
    client.call('fault.list', {}),
  ]);
  return { status, workloads, topology, faults };
}

function withProgress(progress: MeshData['progress'], step: Progress): MeshData['progress'] {
  return { ...progress, [step.workload ?? '*']: step };
}

function dropFinished(progress: MeshData['progress'], workloads: readonly WorkloadView[]): MeshData['progress'] {
  const busy = new Set(
    workloads.filter(({ mesh }) => mesh === 'attaching' || mesh === 'detaching').map(({ id }) => id),
  );
  const kept = Object.entries(progress).filter(
    ([id, step]) => busy.has(id) || step.state === 'failed' || (id === '*' && step.state === 'running'),
  );
  return Object.fromEntries(kept);
}

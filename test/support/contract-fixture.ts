import type { EventPayload } from '../../core/contract/contract.ts';
import { contract } from '../../core/contract/contract.ts';
import { createDispatcher, type Handlers } from '../../core/contract/dispatch.ts';
import { MeshError } from '../../core/contract/errors.ts';
import { EventHub } from '../../core/control-plane/api/event-hub.ts';
import type { Logger } from '../../core/shared/logger.ts';

/** Keeps what was logged. */
export class RecordedLog implements Logger {
  readonly lines: string[] = [];
  info(message: string): void {
    this.lines.push(`info ${message}`);
  }
  warn(message: string): void {
    this.lines.push(`warn ${message}`);
  }
  error(message: string, error?: unknown): void {
    this.lines.push(`error ${message} ${error instanceof Error ? error.stack : String(error ?? '')}`);
  }
}

export const demoStatus: EventPayload<'status'> = {
  ready: true,
  version: '0.0.0',
  project: { dir: '/mesh', name: 'mesh' },
  engine: { state: 'disabled', name: null, version: null, endpoint: null, message: null },
  sample: 'stopped',
  mtlsMode: 'PERMISSIVE',
  trustDomain: 'cluster.local',
  revision: 7,
  sidecars: { attached: 0, acked: 0 },
  traffic: { requestsPerSecond: 0, errorPercent: null },
  cost: { sidecarsRssBytes: 0, sidecarsCpuPercent: 0, controlPlaneRssBytes: 1 },
  faultsActive: 0,
};

const demoTopology: EventPayload<'topology'> = { windowSeconds: 30, atMs: 1, revision: 7, nodes: [], edges: [] };

/** A control plane's outside without its inside: a few answers, errors of every kind, and events on demand. */
export function createContractFixture() {
  const log = new RecordedLog();
  const hub = new EventHub({
    log,
    pictures: {
      status: () => demoStatus,
      workloads: () => [],
      topology: () => demoTopology,
      faults: () => [],
      splits: () => ({ revision: 7 }),
    },
  });
  const nothing = () => {
    throw new MeshError('NOT_FOUND', 'There is nothing of that name.');
  };
  const handlers = {
    ...(Object.fromEntries(Object.keys(contract).map((method) => [method, nothing])) as unknown as Handlers),
    'mesh.status': () => demoStatus,
    'topology.get': ({ windowSeconds }: { windowSeconds: number }) => ({ ...demoTopology, windowSeconds }),
    'mesh.doctor': () => {
      throw new Error('the secret cause');
    },
    'mesh.cleanup': () => ({ unexpected: true }) as never,
    'terminal.input': ({ id, data }: { id: string; data: string }) => {
      hub.tell('terminal.data', { id, data });
      return {};
    },
  } satisfies Handlers;
  return { log, hub, call: createDispatcher(handlers, { log }) };
}

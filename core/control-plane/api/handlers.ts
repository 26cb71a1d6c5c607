/** What each method of the contract does: one line per method, the work is elsewhere. */
import { resolve } from 'node:path';
import type { Handlers } from '../../contract/dispatch.ts';
import { MeshError } from '../../contract/errors.ts';
import type { MeshStatus } from '../../contract/shapes.ts';
import { previewExport } from '../../export/exporters.ts';
import type { MeshApi } from '../mesh/mesh-api.ts';
import type { Terminals } from './terminals.ts';
import { writeExport } from './write-export.ts';

export interface HandlerParts {
  readonly mesh: MeshApi;
  readonly terminals: Terminals;
  readonly projectDir: string;
  /** A fresh one-time address; `null` when no HTTP server runs. */
  readonly newAddress: () => string | null;
  /** `null`: this control plane has no sample shop. */
  readonly sample: { start(): Promise<void>; stop(): Promise<void> } | null;
}

export function createHandlers({ mesh, terminals, projectDir, newAddress, sample }: HandlerParts): Handlers {
  const exportInput = () => ({ snapshot: mesh.snapshot(), faultDefinitions: mesh.faultDefinitions() });
  const withSample = async (work: 'start' | 'stop'): Promise<MeshStatus> => {
    if (sample === null)
      throw new MeshError('SAMPLE_FAILED', 'This control plane was started without the sample shop.');
    await sample[work]();
    return mesh.status();
  };
  return {
    'mesh.status': () => mesh.status(),
    'mesh.cleanup': () => mesh.cleanup(),
    'mesh.doctor': () => mesh.doctor(),
    'mesh.address': () => {
      const url = newAddress();
      if (url === null) throw new MeshError('NOT_FOUND', 'No HTTP server runs; start Meshdesk with `meshdesk serve`.');
      return { url };
    },

    'workload.list': () => mesh.workloads(),
    'workload.attach': ({ select }) => mesh.attach(select),
    'workload.detach': ({ select, deadlineMs }) => mesh.detach(select, deadlineMs),

    'topology.get': ({ windowSeconds }) => mesh.topology(windowSeconds),
    'series.get': (query) => mesh.series(query),
    'request.recent': (query) => mesh.recentRequests(query),

    'fault.list': () => mesh.faults.list(),
    'fault.set': (input) => mesh.faults.set(input),
    'fault.toggle': ({ id, enabled }) => mesh.faults.toggle(id, enabled),
    'fault.clear': (which) => mesh.faults.clear(which),

    'split.list': () => mesh.splits.list(),
    'split.show': ({ service, windowSeconds }) => mesh.splits.show(service, windowSeconds),
    'split.set': (input) => mesh.splits.set(input),
    'split.clear': ({ service }) => mesh.splits.clear(service),

    'certificate.list': () => mesh.certificates.list(),
    'certificate.show': ({ workload }) => mesh.certificates.show(workload),
    'certificate.rotate': (which) => mesh.certificates.rotate(which),
    'certificate.verify': ({ workload }) => mesh.certificates.verify(workload),

    'export.preview': ({ targets }) => previewExport(targets, exportInput()),
    'export.write': ({ targets, outDir }) =>
      writeExport(resolve(projectDir, outDir), previewExport(targets, exportInput())),

    'sample.start': () => withSample('start'),
    'sample.stop': () => withSample('stop'),

    'terminal.open': (request) => terminals.open(request),
    'terminal.input': ({ id, data }) => terminals.input(id, data),
    'terminal.resize': ({ id, columns, rows }) => terminals.resize(id, columns, rows),
    'terminal.close': ({ id }) => terminals.close(id),
  };
}

/** What each method of the contract does: one line per method, the work is elsewhere. */
import { resolve } from 'node:path';
import type { History, HistoryEntry } from '../../contract/config-shapes.ts';
import type { Handlers } from '../../contract/dispatch.ts';
import { MeshError } from '../../contract/errors.ts';
import type { GatewayView, MeshStatus } from '../../contract/shapes.ts';
import { previewExport } from '../../export/exporters.ts';
import type { MeshApi } from '../mesh/mesh-api.ts';
import type { ConfigDesk } from '../store/config-desk.ts';
import type { Change } from '../store/edit-history.ts';
import type { FileResourceStore } from '../store/file-resource-store.ts';
import { importTexts } from '../store/import/import-texts.ts';
import { keptNames } from '../store/import/kept-names.ts';
import { toProductionNames } from '../store/import/production-export.ts';
import type { Terminals } from './terminals.ts';
import { writeExport } from './write-export.ts';

export interface HandlerParts {
  readonly mesh: MeshApi;
  readonly resources: FileResourceStore;
  readonly desk: ConfigDesk;
  readonly terminals: Terminals;
  readonly projectDir: string;
  /** A fresh one-time address; `null` when no HTTP server runs. */
  readonly newAddress: () => string | null;
  readonly gateways: () => GatewayView[];
  /** `null`: this control plane has no sample shop. */
  readonly sample: { start(): Promise<void>; stop(): Promise<void> } | null;
}

export function createHandlers(parts: HandlerParts): Handlers {
  const { mesh, resources, desk, terminals, projectDir, newAddress, gateways, sample } = parts;
  const exportInput = () => ({ snapshot: mesh.snapshot(), faultDefinitions: mesh.faultDefinitions() });
  const exportAs = (targets: readonly string[], names: 'production' | 'local') =>
    toProductionNames(previewExport(targets, exportInput()), names === 'local' ? [] : keptNames(resources.all()));
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
    'workload.renew': ({ select, deadlineMs }) => mesh.renew(select, deadlineMs),

    'topology.get': ({ windowSeconds }) => mesh.topology(windowSeconds),
    'series.get': (query) => mesh.series(query),
    'request.recent': (query) => mesh.requests.recent(query),
    'request.explain': (input) => mesh.requests.explain(input),

    'fault.list': () => mesh.faults.list(),
    'fault.set': (input) => mesh.faults.set(input),
    'fault.toggle': ({ id, enabled }) => mesh.faults.toggle(id, enabled),
    'fault.clear': (which) => mesh.faults.clear(which),

    'split.list': () => mesh.splits.list(),
    'split.show': ({ service, windowSeconds }) => mesh.splits.show(service, windowSeconds),
    'split.set': (input) => mesh.splits.set(input),
    'split.clear': ({ service }) => mesh.splits.clear(service),

    'gateway.list': () => gateways(),

    'certificate.list': () => mesh.certificates.list(),
    'certificate.show': ({ workload }) => mesh.certificates.show(workload),
    'certificate.rotate': (which) => mesh.certificates.rotate(which),
    'certificate.verify': ({ workload }) => mesh.certificates.verify(workload),

    'config.findings': () => desk.findings(),
    'config.get': ({ kind, name }) => desk.get(kind, name),
    'config.apply': ({ texts }) => desk.apply(texts),
    'config.delete': ({ kind, namespace, name }) => desk.delete(kind, namespace, name),
    'config.files': () => desk.files(),
    'config.save': (input) => desk.save(input),
    'config.import': (input) => importTexts(input, { store: resources, services: mesh.snapshot().services }),
    'config.history': () => toHistory(resources.history()),
    'config.undo': async () => toHistoryEntry(await resources.undo()),
    'config.redo': async () => toHistoryEntry(await resources.redo()),

    'export.preview': ({ targets, names }) => exportAs(targets, names),
    'export.write': ({ targets, outDir, names }) => writeExport(resolve(projectDir, outDir), exportAs(targets, names)),

    'sample.start': () => withSample('start'),
    'sample.stop': () => withSample('stop'),

    'terminal.open': (request) => terminals.open(request),
    'terminal.input': ({ id, data }) => terminals.input(id, data),
    'terminal.resize': ({ id, columns, rows }) => terminals.resize(id, columns, rows),
    'terminal.close': ({ id }) => terminals.close(id),
  };
}

function toHistoryEntry({ id, atMs, label, files }: Change): HistoryEntry {
  return { id, atMs, label, files: files.map((file) => ({ ...file })) };
}

function toHistory({
  done,
  undone,
}: {
  readonly done: readonly Change[];
  readonly undone: readonly Change[];
}): History {
  return { done: done.map(toHistoryEntry), undone: undone.map(toHistoryEntry) };
}

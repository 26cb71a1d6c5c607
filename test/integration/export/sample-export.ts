import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { previewExport } from '../../../core/export/exporters.ts';
import { printResources } from '../../../core/model/print-resources.ts';
import type { ActiveFault } from '../../../core/snapshot/snapshot.ts';
import { toSplitResources } from '../../../core/snapshot/split.ts';
import { fault, meshOf, shop, workload } from '../../unit/snapshot/mesh-of.ts';

/** The shop's export: payments split 90/10 with a pin to v2, orders with the given faults, mutual TLS as the YAML says. */
export function exportShop(given: { faults?: readonly ActiveFault[]; yaml?: string } = {}) {
  const split = toSplitResources({
    ...{ service: 'payments', namespace: 'shop', versions: ['v1', 'v2'] },
    weights: [
      { subset: 'v1', weight: 90 },
      { subset: 'v2', weight: 10 },
    ],
    pins: [{ name: 'x-beta', value: 'yes', subset: 'v2' }],
  });
  const workloads = [
    ...shop(),
    workload({ name: 'orders', version: '1.0' }),
    workload({ name: 'Odd_One', version: 'v1' }),
  ];
  const yaml = [printResources(Object.values(split)), given.yaml ?? ''].filter((text) => text !== '').join('---\n');
  const snapshot = meshOf(workloads, yaml, { faults: given.faults ?? [] });
  const [result] = previewExport(['istio'], { snapshot, faultDefinitions: [] });
  if (result === undefined) throw new Error('no export');
  return result;
}

/** Both kinds of faults on orders: a delay for web only, an abort for everyone. */
export const ordersFaults: readonly ActiveFault[] = [
  fault({ id: 'slow', from: 'web.shop', to: 'orders.shop', percent: 30 }),
  fault({ id: 'broken', to: 'orders.shop', percent: 10, action: { kind: 'abort', httpStatus: 503 } }),
];

/** Writes files into a new temporary folder and answers with it. */
export async function writeFiles(
  files: readonly { readonly path: string; readonly content: string }[],
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'meshdesk-export-'));
  for (const { path, content } of files) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  return folder;
}

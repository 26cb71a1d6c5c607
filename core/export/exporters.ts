import { MeshError } from '../contract/errors.ts';
import type { ExportResult } from '../contract/shapes.ts';
import type { Exporter, ExportInput } from './exporter.ts';
import { istioExporter } from './istio/istio-exporter.ts';

/** Every target that there is. */
const exporters: readonly Exporter[] = [istioExporter];

/**
 * Exports to the given targets, in their order; nothing is written.
 * @throws MeshError NOT_FOUND for a target that does not exist, naming those that do.
 */
export function previewExport(targets: readonly string[], input: ExportInput): ExportResult[] {
  return targets.map((target) => {
    const exporter = exporters.find((candidate) => candidate.target === target);
    if (exporter === undefined) {
      const known = exporters.map((candidate) => candidate.target).join(', ');
      throw new MeshError('NOT_FOUND', `There is no export target "${target}"; known targets: ${known}.`);
    }
    const { files, findings } = exporter.export(input);
    return { target, files: [...files], findings: [...findings], outDir: null };
  });
}

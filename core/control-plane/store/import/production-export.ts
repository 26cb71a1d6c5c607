import type { MappedName, NameMapping } from '../../../contract/import-shapes.ts';
import type { ExportFinding, ExportResult } from '../../../contract/shapes.ts';
import { canonicalHost, splitFqdn, toFqdn, withReferences } from './production-names.ts';
import { printManifest, readManifests } from './read-manifests.ts';
import { type NameTable, renameManifest, toNameTable } from './rename-manifest.ts';

const reason = 'MeshSettings keep what names of production are called here (hostMappings, namespaceMappings)';

/**
 * Exports with the names of production where an import took names of this machine for them: the way back. Of several names
 * of production that are one service here the first one counts; names outside of the cluster stay as they are here.
 */
export function toProductionNames(results: readonly ExportResult[], kept: readonly NameMapping[]): ExportResult[] {
  if (kept.length === 0) return [...results];
  const { mapping, findings } = wayBack(kept);
  const table = toNameTable(mapping, []);
  return results.map((result) => ({
    ...result,
    files: result.files.map((file) =>
      /\.ya?ml$/.test(file.path) ? { ...file, content: rename(file.content, table) } : file,
    ),
    findings: [...result.findings, ...findings],
  }));
}

function rename(content: string, table: NameTable): string {
  const { manifests } = readManifests(content);
  if (manifests.length === 0 || manifests.some(({ kind }) => kind === null)) return content;
  const named = manifests.map(withReferences);
  if (named.every(({ references }) => references.length === 0)) return content;
  return named.map((one) => printManifest(renameManifest(one, table))).join('---\n');
}

function wayBack(kept: readonly NameMapping[]): { mapping: MappedName[]; findings: ExportFinding[] } {
  const mapping: MappedName[] = [];
  const findings: ExportFinding[] = [];
  const taken = new Map<string, string>();
  for (const { kind, from: production, to: local } of kept) {
    const names =
      local === null ? null : kind === 'host' ? hostBack(production, local) : { from: local, to: production };
    if (names === null) {
      findings.push({
        kind: 'approximated',
        what: `${production} stays ${local}`,
        reason: 'it is a name outside of the cluster',
        file: null,
      });
      continue;
    }
    const first = taken.get(`${kind} ${names.from}`);
    if (first !== undefined) {
      findings.push({
        kind: 'approximated',
        what: `${local} becomes ${first}, not ${production}`,
        reason: 'both are one service here',
        file: null,
      });
      continue;
    }
    taken.set(`${kind} ${names.from}`, production);
    mapping.push({ kind, ...names, isKnown: true, candidates: [] });
    findings.push({ kind: 'mapped', what: `${local} becomes ${production}`, reason, file: null });
  }
  return { mapping, findings };
}

function hostBack(production: string, local: string): { from: string; to: string } | null {
  const service = splitFqdn(production);
  const [name = local, namespace] = local.split('.');
  if (service === null || namespace === undefined) return null;
  const from = canonicalHost(toFqdn(name, namespace), namespace, new Set()) ?? '';
  return { from, to: `${service.name}.${service.namespace}` };
}

import type { z } from 'zod';
import { type ConfigText, toFindingView } from '../../../contract/config-shapes.ts';
import { MeshError } from '../../../contract/errors.ts';
import type { ImportedResource, ImportInput, ImportResult } from '../../../contract/import-shapes.ts';
import type { Finding } from '../../../model/finding.ts';
import { parseResources } from '../../../model/parse-resources.ts';
import { describeResource, namespaceOf, type Resource } from '../../../model/resource.ts';
import { schemaOf } from '../../../model/resource-schemas.ts';
import { toInvalid } from '../config-desk.ts';
import { type FileResourceStore, homeOf } from '../file-resource-store.ts';
import { readCompose } from './compose-services.ts';
import { keptNames, withNames } from './kept-names.ts';
import { type LocalService, mapNames, withReferences } from './production-names.ts';
import { type Manifest, printManifest, readManifests } from './read-manifests.ts';
import { renameManifest, toNameTable } from './rename-manifest.ts';
import { serviceHints } from './service-hints.ts';

export interface ImportSurroundings {
  readonly store: FileResourceStore;
  /** Services that run here. */
  readonly services: ReadonlyMap<
    string,
    { readonly name: string; readonly namespace: string; readonly ports?: readonly { readonly port: number }[] }
  >;
}

interface ReadText {
  readonly file: string;
  readonly manifests: readonly Manifest[];
  readonly skipped: ImportResult['skipped'];
  /** Of other kinds: Kubernetes Services say more about a name. */
  readonly others: readonly Manifest[];
  readonly services: ImportResult['services'];
  readonly findings: readonly Finding[];
}

/**
 * Reads configuration from elsewhere: several documents, `List` kinds, rendered Helm charts, dumps of a cluster, compose
 * files. With `write` the resources go into the project, all or none: rejects with INVALID_RESOURCE when one of them has
 * an error, or when there is none.
 */
export async function importTexts(
  { texts, mapping: chosen, write }: z.output<typeof ImportInput>,
  { store, services }: ImportSurroundings,
): Promise<ImportResult> {
  const own = store.all();
  const read = texts.map(readText);
  const local = [...services].map(
    ([key, { name, namespace, ports = [] }]): LocalService => ({
      ...{ key, name, namespace, ports: ports.map(({ port }) => port) },
    }),
  );
  const named = read.flatMap(({ file, manifests }) => manifests.map((one) => ({ file, ...withReferences(one) })));
  const hints = serviceHints(read.flatMap(({ others }) => [...others]));
  // What was chosen now comes after what earlier imports were told, and so decides over it.
  const mapping = mapNames(named, local, [...keptNames(own), ...chosen], hints);
  const table = toNameTable(mapping, local);
  const taken = named.map((one) => ({ ...one, text: printManifest(renameManifest(one, table)) }));
  const ready = taken.flatMap(({ file, manifest, text }) => {
    const [resource] = parseResources(text, file).resources;
    return resource === undefined ? [] : [{ file, manifest, text, resource }];
  });
  const findings = [...read.flatMap((one) => one.findings), ...clashes(ready)];
  const result: ImportResult = {
    resources: ready.map(({ file, text, resource }) => toImported(file, text, resource, store)),
    skipped: read.flatMap(({ skipped }) => [...skipped]),
    services: read.flatMap((one) => [...one.services]),
    mapping,
    findings: findings.map(toFindingView),
    written: [],
  };
  if (!write) return result;
  const errors = findings.filter(({ severity }) => severity === 'error');
  if (errors.length > 0) throw toInvalid(errors);
  if (ready.length === 0) throw new MeshError('INVALID_RESOURCE', 'There is no resource of a mesh in what was given.');
  const what =
    ready.length === 1 && ready[0] !== undefined ? describeResource(ready[0].resource) : `${ready.length} resources`;
  const settings = withNames(own, mapping);
  const given =
    settings === null || ready.some(({ resource }) => resource.kind === 'MeshSettings') ? ready : [...ready, settings];
  return { ...result, written: await store.putTexts(given, `import ${what}`) };
}

function readText({ file, text }: ConfigText): ReadText {
  const { manifests, composes, isStripped } = readManifests(text);
  const isOurs = ({ apiVersion, kind }: Manifest) => {
    const found = kind === null ? null : schemaOf(apiVersion, kind);
    return found !== null && !('problem' in found && found.problem === 'kind');
  };
  const others = manifests.filter((one) => !isOurs(one));
  const findings = parseResources(text, file).findings.filter(
    ({ code, line, column }) =>
      code !== 'UNKNOWN_KIND' && !(line !== null && column !== null && isStripped(line, column)),
  );
  return {
    file,
    manifests: manifests.filter(isOurs),
    skipped: others.map((one) => toSkipped(one, file)),
    others,
    services: composes.flatMap(({ document, lines }) => readCompose(document, lines, file)),
    findings,
  };
}

function toSkipped({ kind, namespace, name, line }: Manifest, file: string): ImportResult['skipped'][number] {
  if (kind === null) return { what: 'a document', file, line, reason: 'has no kind' };
  const what = `${kind} ${namespace}/${name}`;
  return { what, file, line, reason: 'is not configuration of a mesh' };
}

function toImported(file: string, text: string, resource: Resource, store: FileResourceStore): ImportedResource {
  const path = store.fileOf(resource);
  return {
    file,
    kind: resource.kind,
    namespace: namespaceOf(resource),
    name: resource.metadata.name,
    path: path ?? homeOf(resource),
    replaces: path !== null,
    yaml: text,
  };
}

/** Two that were apart in production and are one by the names that were chosen. */
function clashes(
  ready: readonly { readonly file: string; readonly manifest: Manifest; readonly resource: Resource }[],
): Finding[] {
  const seen = new Map<string, Manifest>();
  const findings: Finding[] = [];
  for (const { file, manifest, resource } of ready) {
    const name = describeResource(resource);
    const key = `${resource.apiVersion.split('/')[0]} ${name}`;
    const other = seen.get(key);
    if (other === undefined) {
      seen.set(key, manifest);
      continue;
    }
    findings.push({
      code: 'DUPLICATE',
      severity: 'error',
      file,
      line: manifest.line,
      column: manifest.column,
      message: `${name} comes twice: from ${other.namespace}/${other.name} and from ${manifest.namespace}/${manifest.name}`,
      hint: 'Map one of the two to another name or namespace, or leave it out.',
    });
  }
  return findings;
}

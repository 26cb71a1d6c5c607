/**
 * `store/import/`: configuration that was made elsewhere, on its way into the project. Manifest: one resource as it stands
 * in a text (a document, or an item of a `List`). What only a cluster needs is taken off, names of production become
 * names of this machine, comments and key order stay. Compose files are read for what the mesh would see; never changed.
 * Must not: write files (file-resource-store.ts does), decide what a valid resource is (model/).
 */
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  visit,
  Document as YamlDocument,
} from 'yaml';
import { defaultNamespace } from '../../../model/resource-metadata.ts';

export interface Manifest {
  readonly kind: string | null;
  readonly apiVersion: string | null;
  readonly namespace: string;
  readonly name: string;
  /** Of its name, or of where it begins, from 1. */
  readonly line: number;
  readonly column: number;
  /** Of its own, without what only a cluster needs. */
  readonly document: Document;
}

export interface ReadManifests {
  readonly manifests: readonly Manifest[];
  /** Documents of compose files, with what is needed to say lines. */
  readonly composes: readonly { readonly document: Document; readonly lines: LineCounter }[];
  /** True when this place (counted from 1) is in something that was taken off. */
  isStripped(line: number, column: number): boolean;
}

/** Set by the cluster, or of use only there. `creationTimestamp` stays: it decides which of two policies is older. */
const clusterFields: readonly (readonly string[])[] = [
  ['status'],
  ...[
    ...['managedFields', 'resourceVersion', 'uid', 'generation', 'selfLink', 'ownerReferences', 'finalizers'],
    ...['generateName', 'deletionTimestamp', 'deletionGracePeriodSeconds'],
  ].map((field) => ['metadata', field]),
  ['metadata', 'annotations', 'kubectl.kubernetes.io/last-applied-configuration'],
];

/** Reads every document that is valid YAML; the others are for `parseResources` to complain about. */
export function readManifests(text: string): ReadManifests {
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, merge: true, logLevel: 'silent' });
  const manifests: Manifest[] = [];
  const composes: { document: Document; lines: LineCounter }[] = [];
  const stripped: (readonly [from: number, to: number])[] = [];
  for (const document of Array.isArray(parsed) ? parsed : []) {
    if (document.errors.length > 0 || !isMap(document.contents)) continue;
    if (isCompose(document)) composes.push({ document, lines });
    else for (const own of toItems(document)) manifests.push(toManifest(own, lines, stripped));
  }
  return {
    manifests,
    composes,
    isStripped(line, column) {
      const at = (lines.lineStarts[line - 1] ?? 0) + column - 1;
      return stripped.some(([from, to]) => at >= from && at < to);
    },
  };
}

function isCompose(document: Document): boolean {
  return !document.has('kind') && !document.has('apiVersion') && isMap(document.get('services', true));
}

/** One document per resource: a `List` is taken apart. */
function toItems(document: Document): Document[] {
  const items = document.get('items', true);
  if (!String(document.get('kind') ?? '').endsWith('List') || !isSeq(items)) return [document];
  return items.items.filter(isMap).map((item) => {
    const own = new YamlDocument(null, { merge: true });
    own.contents = item as never;
    return hasAlias(document) ? new YamlDocument(item.toJS(document), { aliasDuplicateObjects: false }) : own;
  });
}

function hasAlias(document: Document): boolean {
  let found = false;
  visit(document, {
    Alias: () => {
      found = true;
      return visit.BREAK;
    },
  });
  return found;
}

function toManifest(document: Document, lines: LineCounter, stripped: (readonly [number, number])[]): Manifest {
  for (const path of clusterFields) strip(document, path, stripped);
  const annotations = document.getIn(['metadata', 'annotations'], true);
  if (isMap(annotations) && annotations.items.length === 0) document.deleteIn(['metadata', 'annotations']);
  if (document.getIn(['metadata', 'creationTimestamp']) === null) document.deleteIn(['metadata', 'creationTimestamp']);
  const text = (path: readonly string[]) => {
    const value = document.getIn(path);
    return typeof value === 'string' ? value : null;
  };
  const node = document.getIn(['metadata', 'name'], true) ?? document.contents;
  const start = lines.linePos(isNode(node) ? (node.range?.[0] ?? 0) : 0);
  return {
    kind: text(['kind']),
    apiVersion: text(['apiVersion']),
    namespace: text(['metadata', 'namespace']) ?? defaultNamespace,
    name: text(['metadata', 'name']) ?? '',
    line: Math.max(1, start.line),
    column: Math.max(1, start.col),
    document,
  };
}

function strip(document: Document, path: readonly string[], stripped: (readonly [number, number])[]): void {
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  if (!isMap(parent)) return;
  const pair = parent.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === path.at(-1));
  if (pair === undefined) return;
  const from = isNode(pair.key) ? pair.key.range?.[0] : undefined;
  const to = isNode(pair.value) ? pair.value.range?.[1] : undefined;
  if (from !== undefined) stripped.push([from, Math.max(from + 1, to ?? 0)]);
  document.deleteIn(path);
}

/** As a YAML text in block style, ending in a newline; comments and key order as they were where that is possible. */
export function printManifest(document: Document): string {
  const isPlain = isMap(document.contents) && document.contents.flow !== true && !hasAlias(document);
  const printed = isPlain ? document : new YamlDocument(document.toJS(), { aliasDuplicateObjects: false });
  return printed.toString({ lineWidth: 0 }).replace(/^---\s*\n/, '');
}

/** Puts a value where there is one; through an alias it could not be reached. */
export function replaceValue(document: Document, path: readonly (string | number)[], value: string): Document {
  const parent = document.getIn(path.slice(0, -1), true);
  if (isNode(parent) && !isAlias(parent) && !hasAlias(document)) {
    document.setIn(path, value);
    return document;
  }
  const plain = new YamlDocument(document.toJS(), { aliasDuplicateObjects: false });
  plain.setIn(path, value);
  return plain;
}

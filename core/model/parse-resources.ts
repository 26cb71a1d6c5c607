import { LineCounter, parseAllDocuments } from 'yaml';
import { checkResource } from './check-resource.ts';
import { nearestWord } from './did-you-mean.ts';
import type { Finding } from './finding.ts';
import { type InputIssue, toInputIssues } from './input-issues.ts';
import { describeResource, type Resource } from './resource.ts';
import { knownKinds, schemaOf } from './resource-schemas.ts';
import { withoutNulls } from './without-nulls.ts';
import { placeOf, positionOf, type YamlSource, yaml11Words } from './yaml-source.ts';

export interface ParsedResources {
  /** Those without an error, in the order of the file. */
  readonly resources: readonly Resource[];
  readonly findings: readonly Finding[];
}

/** A resource as it stands in a document: the document itself, or an item of a `List`. */
interface Item {
  readonly value: unknown;
  readonly path: readonly (string | number)[];
}

/**
 * Reads the resources of a YAML or JSON text: several documents, `List` kinds, what templates leave (empty documents,
 * comments, null fields). Never throws: everything that is wrong comes back as findings with file, line and column, all
 * at once; a resource with an error is left out, the others are read.
 */
export function parseResources(text: string, file: string | null): ParsedResources {
  const lines = new LineCounter();
  const resources: Resource[] = [];
  const findings: Finding[] = [];
  const known = new Set<string>();
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, merge: true });
  for (const document of Array.isArray(documents) ? documents : []) {
    const source: YamlSource = { file, document, lines };
    for (const item of readItems(source, findings)) {
      const resource = readItem(source, item, findings);
      if (resource === null) continue;
      const id = `${groupOf(resource)} ${describeResource(resource)}`;
      if (known.has(id)) {
        findings.push({
          ...placeOf(source, [...item.path, 'metadata', 'name']),
          code: 'DUPLICATE',
          severity: 'error',
          message: `${describeResource(resource)} is defined twice in this file; the first one is used`,
          hint: 'Rename one of them, or remove it.',
        });
        continue;
      }
      known.add(id);
      resources.push(resource);
    }
  }
  return { resources, findings };
}

/** API group of a resource: Istio and the Gateway API both have a kind Gateway. */
function groupOf({ apiVersion }: Resource): string {
  return apiVersion.slice(0, apiVersion.indexOf('/'));
}

function readItems(source: YamlSource, findings: Finding[]): readonly Item[] {
  const { document } = source;
  if (document.errors.length > 0) {
    findings.push(...document.errors.map((error) => yamlFinding(source, error.pos[0], error.message)));
    return [];
  }
  let value: unknown;
  try {
    value = document.toJS();
    // An alias inside of what it stands for makes a value without an end, which JSON refuses.
    JSON.stringify(value);
  } catch (cause) {
    findings.push(yamlFinding(source, document.range[0], cause instanceof Error ? cause.message : String(cause)));
    return [];
  }
  if (value === null || value === undefined) return [];
  const list = isList(value) ? value.items : null;
  const items =
    list === null ? [{ value, path: [] }] : list.map((item, index) => ({ value: item, path: ['items', index] }));
  if (!items.some((item) => isMeshKind(item.value))) return items;
  const words = yaml11Words(document);
  findings.push(...words.map(({ text, offset }) => wordFinding(source, offset, text)));
  return words.length > 0 ? [] : items;
}

/** `kind: List`, or a list of one kind as `kubectl get -o yaml` and clients write it. */
function isList(value: unknown): value is { readonly items: readonly unknown[] } {
  if (typeof value !== 'object' || value === null || !('kind' in value) || !('items' in value)) return false;
  return typeof value.kind === 'string' && value.kind.endsWith('List') && Array.isArray(value.items);
}

function isMeshKind(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'kind' in value && knownKinds.includes(String(value.kind));
}

function readItem(source: YamlSource, item: Item, findings: Finding[]): Resource | null {
  const checked = toResource(item.value);
  if (!checked.ok) {
    findings.push(...checked.issues.map((issue) => invalidFinding(source, item, issue)));
    return null;
  }
  const problems = checkResource(checked.resource);
  findings.push(
    ...problems.map(({ path, ...problem }) => ({ ...placeOf(source, [...item.path, ...path]), ...problem })),
  );
  return problems.some((problem) => problem.severity === 'error') ? null : checked.resource;
}

type Checked =
  | { readonly ok: true; readonly resource: Resource }
  | { readonly ok: false; readonly issues: readonly InputIssue[] };

/** Checks a value (from YAML or elsewhere) against the schema of its kind. */
function toResource(given: unknown): Checked {
  const value = withoutNulls(given);
  const fields = typeof value === 'object' && value !== null ? (value as { kind?: unknown; apiVersion?: unknown }) : {};
  const { kind, apiVersion } = fields;
  if (typeof kind !== 'string') return { ok: false, issues: [unknownKind([], 'this document has no kind')] };
  const found = schemaOf(apiVersion, kind);
  if ('problem' in found) {
    if (found.problem === 'kind')
      return { ok: false, issues: [unknownKind(['kind'], `"${kind}" is not a kind that a mesh project knows`, kind)] };
    return { ok: false, issues: [wrongGroup(apiVersion, kind, found.groups)] };
  }
  const { schema } = found;
  const result = schema.safeParse(value);
  if (result.success) return { ok: true, resource: result.data };
  return { ok: false, issues: result.error.issues.flatMap((issue) => toInputIssues(issue, schema, value)) };
}

function unknownKind(path: readonly PropertyKey[], message: string, kind = ''): InputIssue {
  const nearest = kind === '' ? null : nearestWord(kind, knownKinds);
  const hint = `${nearest === null ? '' : `Did you mean ${nearest}? `}Known kinds: ${knownKinds.join(', ')}.`;
  return { code: 'UNKNOWN_KIND', path, key: null, message, hint };
}

function wrongGroup(apiVersion: unknown, kind: string, groups: readonly string[]): InputIssue {
  return {
    code: apiVersion === undefined || groups.length === 0 ? 'INVALID' : 'WRONG_VERSION',
    path: ['apiVersion'],
    key: null,
    message:
      apiVersion === undefined ? 'apiVersion: is required' : `apiVersion: ${kind} is not in "${String(apiVersion)}"`,
    hint: `${kind} is a kind of ${groups.join(' and of ')}.`,
  };
}

function invalidFinding(source: YamlSource, item: Item, issue: InputIssue): Finding {
  const { code, path, key, message, hint } = issue;
  const place = placeOf(source, [...item.path, ...path, ...(key === null ? [] : [key])]);
  return { ...place, code, severity: 'error', message, hint };
}

function wordFinding(source: YamlSource, offset: number, text: string): Finding {
  return {
    ...positionOf(source, offset),
    code: 'INVALID',
    severity: 'error',
    message: `"${text}" without quotes is no text to Kubernetes, which reads YAML 1.1`,
    hint: `Write "${text}" for text, true or false for a boolean.`,
  };
}

function yamlFinding(source: YamlSource, offset: number, message: string): Finding {
  return {
    ...positionOf(source, offset),
    code: 'YAML',
    severity: 'error',
    message: `not valid YAML: ${message}`,
    hint: 'Often the indentation, a tab, or a missing quote or colon at this place or just before it.',
  };
}

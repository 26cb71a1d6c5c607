import { type Document, isMap, isNode, isPair, isScalar, LineCounter, parseAllDocuments } from 'yaml';
import type { z } from 'zod';
import { checkResource } from './check-resource.ts';
import type { Finding } from './finding.ts';
import { formatPath } from './kept-fields.ts';
import { describeResource, isAppliedKind, KeptKind, KeptResource, type Resource, resourceSchemas } from './resource.ts';

export interface ParsedResources {
  /** Those without an error, in the order of the file. */
  readonly resources: readonly Resource[];
  readonly findings: readonly Finding[];
}

interface Source {
  readonly file: string | null;
  readonly document: Document.Parsed;
  readonly lines: LineCounter;
}

type Path = readonly PropertyKey[];

/**
 * Reads the resources of a YAML text (several documents allowed). Never throws: everything that is wrong comes back as
 * findings with file, line and column, all at once; a document with an error yields no resource, the others do.
 */
export function parseResources(text: string, file: string | null): ParsedResources {
  const lines = new LineCounter();
  const resources: Resource[] = [];
  const findings: Finding[] = [];
  const known = new Set<string>();
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
  for (const document of Array.isArray(documents) ? documents : []) {
    const source: Source = { file, document, lines };
    const parsed = readDocument(source);
    findings.push(...parsed.findings);
    if (parsed.resource === null) continue;
    const id = describeResource(parsed.resource);
    if (known.has(id)) {
      findings.push({
        ...place(source, ['metadata', 'name']),
        code: 'DUPLICATE',
        severity: 'error',
        message: `${id} is defined twice in this file; the first one is used`,
        hint: 'Rename one of them, or remove it.',
      });
      continue;
    }
    known.add(id);
    resources.push(parsed.resource);
  }
  return { resources, findings };
}

function readDocument(source: Source): { resource: Resource | null; findings: Finding[] } {
  const { document } = source;
  const broken = document.errors.map((error) => yamlFinding(source, error.pos[0], error.message));
  if (broken.length > 0) return { resource: null, findings: broken };
  let value: unknown;
  try {
    value = document.toJS();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    return { resource: null, findings: [yamlFinding(source, document.range[0], reason)] };
  }
  if (value === null || value === undefined) return { resource: null, findings: [] };
  const checked = toResource(value);
  if (!checked.ok) return { resource: null, findings: checked.issues.map((issue) => invalidFinding(source, issue)) };
  const problems = checkResource(checked.resource);
  const findings = problems.map(({ path, ...problem }) => ({ ...place(source, path), ...problem }));
  return { resource: problems.some((problem) => problem.severity === 'error') ? null : checked.resource, findings };
}

interface InputIssue {
  readonly code: 'INVALID' | 'UNKNOWN_KIND';
  readonly path: Path;
  /** A key that should not be there, below `path`. */
  readonly key: string | null;
  readonly message: string;
  readonly hint: string;
}

/** Checks a value (from YAML or elsewhere) against the schema of its kind. */
function toResource(
  value: unknown,
): { readonly ok: true; readonly resource: Resource } | { readonly ok: false; readonly issues: readonly InputIssue[] } {
  const kind = typeof value === 'object' && value !== null && 'kind' in value ? value.kind : undefined;
  if (typeof kind !== 'string') return { ok: false, issues: [unknownKind([], 'this document has no kind')] };
  const keptKind = KeptKind.safeParse(kind).success;
  if (!isAppliedKind(kind) && !keptKind) {
    return { ok: false, issues: [unknownKind(['kind'], `"${kind}" is not a kind that a mesh project knows`)] };
  }
  const result = (isAppliedKind(kind) ? resourceSchemas[kind] : KeptResource).safeParse(value);
  if (result.success) return { ok: true, resource: result.data };
  return { ok: false, issues: result.error.issues.flatMap(toInputIssues) };
}

function unknownKind(path: Path, message: string): InputIssue {
  return {
    code: 'UNKNOWN_KIND',
    path,
    key: null,
    message,
    hint: `Known kinds: ${[...Object.keys(resourceSchemas), ...KeptKind.options].join(', ')}.`,
  };
}

function toInputIssues(issue: z.core.$ZodIssue): InputIssue[] {
  const at = formatPath(issue.path);
  const hint = 'Compare with the reference of this kind (istio.io/latest/docs/reference/config).';
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      code: 'INVALID' as const,
      path: issue.path,
      key,
      message: `${at === '' ? key : `${at}.${key}`} is not a field of this API`,
      hint: 'Check the spelling and the indentation; field names are in camelCase.',
    }));
  }
  return [
    { code: 'INVALID', path: issue.path, key: null, message: `${at === '' ? 'document' : at}: ${issue.message}`, hint },
  ];
}

function invalidFinding(source: Source, issue: InputIssue): Finding {
  const { code, message, hint } = issue;
  return { ...place(source, issue.path, issue.key), code, severity: 'error', message, hint };
}

function yamlFinding(source: Source, offset: number, message: string): Finding {
  return {
    ...position(source, offset),
    code: 'YAML',
    severity: 'error',
    message: `not valid YAML: ${message}`,
    hint: 'Often the indentation, a tab, or a missing quote or colon at this place or just before it.',
  };
}

/** Where a path stands in its file; the nearest parent that is there when the path itself is not. */
function place(source: Source, path: Path, key: string | null = null): Pick<Finding, 'file' | 'line' | 'column'> {
  const keyed = key === null ? [...path] : [...path, key];
  for (let length = keyed.length; length > 0; length -= 1) {
    const offset = offsetOf(source.document, keyed.slice(0, length));
    if (offset !== null) return position(source, offset);
  }
  return position(source, source.document.contents?.range?.[0] ?? source.document.range[0]);
}

/** Of a mapping's entry the key, of a list's item the item. */
function offsetOf(document: Document.Parsed, path: Path): number | null {
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  const last = path.at(-1);
  if (isMap(parent)) {
    const pair = parent.items.find(
      (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(last),
    );
    if (pair !== undefined && isNode(pair.key)) return pair.key.range?.[0] ?? null;
    return null;
  }
  const node = document.getIn(path, true);
  return isNode(node) ? (node.range?.[0] ?? null) : null;
}

function position(source: Source, offset: number): Pick<Finding, 'file' | 'line' | 'column'> {
  const { line, col } = source.lines.linePos(offset);
  return { file: source.file, line: Math.max(1, line), column: Math.max(1, col) };
}

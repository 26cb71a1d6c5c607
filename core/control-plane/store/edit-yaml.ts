/** Edits of a YAML text that leave what they do not concern as it is: other documents byte by byte, comments and key order too. */
import { type Document, parseDocument } from 'yaml';
import { printResource } from '../../model/print-resources.ts';
import { namespaceOf, type Resource } from '../../model/resource.ts';

export interface ResourceName {
  /** API group, where two have a kind of this name (Gateway); default: any. */
  readonly group?: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

const groupOf = (apiVersion: unknown) => String(apiVersion).split('/')[0] ?? '';

export const toResourceName = (resource: Resource): ResourceName => ({
  group: groupOf(resource.apiVersion),
  kind: resource.kind,
  namespace: namespaceOf(resource),
  name: resource.metadata.name,
});

/** A document marker ends any scalar, so a line that begins with one is always a boundary (YAML 1.2, 9.1). */
function splitDocuments(text: string): string[] {
  return text.split(/^(?=---(?:\s|$))/m);
}

function isNamed(part: string, { group, kind, namespace, name }: ResourceName): boolean {
  const value: unknown = parseDocument(part).toJS();
  if (typeof value !== 'object' || value === null) return false;
  const own = value as { apiVersion?: unknown; kind?: unknown; metadata?: { name?: unknown; namespace?: unknown } };
  const { kind: ownKind, metadata } = own;
  if (group !== undefined && groupOf(own.apiVersion) !== group) return false;
  return ownKind === kind && metadata?.name === name && (metadata.namespace ?? 'default') === namespace;
}

type Path = readonly (string | number)[];
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Changes in `document` what differs between the two values, and nothing else. */
function merge(document: Document, path: Path, current: unknown, next: unknown): void {
  if (JSON.stringify(current) === JSON.stringify(next)) return;
  if (isRecord(current) && isRecord(next)) {
    for (const key of Object.keys(current)) if (next[key] === undefined) document.deleteIn([...path, key]);
    for (const [key, value] of Object.entries(next)) {
      if (value === undefined) continue;
      if (key in current) merge(document, [...path, key], current[key], value);
      else document.setIn([...path, key], document.createNode(value, { aliasDuplicateObjects: false }));
    }
    return;
  }
  if (Array.isArray(current) && Array.isArray(next) && current.length > 0 && next.length > 0) {
    for (let index = current.length - 1; index >= next.length; index -= 1) document.deleteIn([...path, index]);
    next.forEach((value, index) => {
      if (index < current.length) merge(document, [...path, index], current[index], value);
      else document.addIn(path, document.createNode(value, { aliasDuplicateObjects: false }));
    });
    return;
  }
  const scalar = typeof next !== 'object' || next === null;
  document.setIn(path, scalar ? next : document.createNode(next, { aliasDuplicateObjects: false }));
}

/**
 * `text` with this resource in it: changed in place when it is there, else as a new document at the end.
 * @param fresh that document; as we print resources by default
 */
export function putInYaml(text: string, resource: Resource, fresh = printResource(resource)): string {
  const parts = splitDocuments(text);
  const index = parts.findIndex((part) => isNamed(part, toResourceName(resource)));
  const part = parts[index];
  if (part === undefined) {
    const before = text.trim() === '' ? text : `${text.trimEnd()}\n---\n`;
    return before + fresh;
  }
  const document = parseDocument(part);
  merge(document, [], document.toJS(), resource);
  parts[index] = document.toString({ lineWidth: 0 });
  return parts.join('');
}

/** `text` without this resource; '' when nothing but blank is left. */
export function removeFromYaml(text: string, name: ResourceName): string {
  const parts = splitDocuments(text);
  const rest = parts.filter((part) => !isNamed(part, name)).join('');
  return rest.replaceAll(/^---\s*$/gm, '').trim() === '' ? '' : rest;
}

/** What the editor offers while a resource is being written, and what it says of a field: from the schemas themselves. */
import type { Completion, CompletionContext, CompletionResult } from '@codemirror/autocomplete';
import { hoverTooltip } from '@codemirror/view';
import { fieldDoc } from '../../../core/model/field-docs.ts';
import { type FieldPath, formatPath } from '../../../core/model/field-path.ts';
import { apiVersionsOf, knownKinds, schemaOf } from '../../../core/model/resource-schemas.ts';
import { fieldsAt, typeAt, valuesAt } from '../../../core/model/schema-keys.ts';
import { placeAt, type YamlPlace } from '../../../core/model/yaml-cursor.ts';

/** Keys of the object at the cursor that it has not yet, or the values that its field may have. */
export function completeYaml({ state, pos, explicit }: CompletionContext): CompletionResult | null {
  const place = placeAt(state.doc.toString(), pos);
  if (place === null || (!explicit && place.from === pos && place.at === 'key')) return null;
  const options = place.at === 'key' ? [...keysFor(place), ...valuesFor(place)] : valuesFor(place);
  return options.length === 0 ? null : { from: place.from, options, validFor: /^[\w.*/-]*$/ };
}

function schemaFor({ apiVersion, kind }: YamlPlace) {
  if (kind === null) return null;
  // The kind is enough to be helped, until the version says which of two APIs is meant.
  const known = schemaOf(apiVersion ?? apiVersionsOf(kind)[0], kind);
  return 'schema' in known ? known.schema : null;
}

function keysFor(place: YamlPlace): Completion[] {
  const schema = schemaFor(place);
  const top = ['apiVersion', 'kind', 'metadata', 'spec'];
  const fields = schema === null ? (place.path.length === 0 ? top : []) : fieldsAt(schema, place.path);
  return fields
    .filter((field) => !place.siblings.has(field) && (place.path.length > 0 || top.includes(field)))
    .map((field, index) => {
      const path = [...place.path, field];
      const type = schema === null ? '' : typeAt(schema, path);
      const info = fieldDoc(place.kind, path);
      return {
        label: field,
        type: 'property',
        detail: type,
        apply: type === 'list' || type === 'object' || type === 'map' ? `${field}:` : `${field}: `,
        // In the order of the API, not of the alphabet.
        sortText: String(index).padStart(3, '0'),
        ...(info === null ? {} : { info }),
      };
    });
}

function valuesFor(place: YamlPlace): Completion[] {
  const schema = schemaFor(place);
  const name = formatPath(place.path);
  if (name === 'kind') return knownKinds.map((kind) => ({ label: kind, type: 'class' }));
  if (name === 'apiVersion') {
    const kinds = place.kind === null ? knownKinds : [place.kind];
    return [...new Set(kinds.flatMap(apiVersionsOf))].map((label) => ({ label, type: 'namespace' }));
  }
  if (schema === null) return [];
  return valuesAt(schema, place.path).map((label) => ({ label, type: 'enum' }));
}

export interface FieldHelp {
  readonly path: FieldPath;
  /** `text`, `list` ...; '' when unknown. */
  readonly type: string;
  readonly values: readonly string[];
  readonly doc: string | null;
  readonly from: number;
  readonly to: number;
}

/** What can be said of the key at an offset; `null` when there is none, or nothing to say. */
export function helpAt(text: string, offset: number): FieldHelp | null {
  const lineStart = text.lastIndexOf('\n', offset - 1) + 1;
  const line = text.slice(lineStart).split('\n', 1)[0] ?? '';
  const found = /^(\s*(?:-\s+)*)([\w.-]+):/.exec(line);
  const from = lineStart + (found?.[1]?.length ?? 0);
  const key = found?.[2] ?? '';
  if (key === '' || offset < from || offset > from + key.length) return null;
  const place = placeAt(text, from + key.length);
  if (place === null) return null;
  const path = [...place.path, key];
  const schema = schemaFor(place);
  const type = schema === null ? '' : typeAt(schema, path);
  const doc = fieldDoc(place.kind, path);
  if (type === '' && doc === null) return null;
  return { path, type, values: schema === null ? [] : valuesAt(schema, path), doc, from, to: from + key.length };
}

export const fieldHover = hoverTooltip((view, offset) => {
  const help = helpAt(view.state.doc.toString(), offset);
  if (help === null) return null;
  return { pos: help.from, end: help.to, above: true, create: () => ({ dom: renderHelp(help) }) };
});

function renderHelp({ path, type, values, doc }: FieldHelp): HTMLElement {
  const box = document.createElement('div');
  box.className = 'cm-field-help';
  const name = document.createElement('b');
  name.textContent = formatPath(path);
  const kind = document.createElement('span');
  kind.textContent = values.length > 0 && type === 'text' ? values.join(' | ') : type;
  box.append(name, ' ', kind);
  if (doc !== null) {
    const words = document.createElement('p');
    words.textContent = doc;
    box.append(words);
  }
  return box;
}

/** Which fields of a kind the scenarios use, so that none is forgotten. Paths have `*` for items of lists and keys of maps. */
import { parseAllDocuments } from 'yaml';
import type { z } from 'zod';
import { fieldsAt, typeAt } from '../../core/model/schema-keys.ts';
import type { Scenario } from './scenario.ts';

/** Every field of the schema below a path that has no fields of its own. */
export function leafFields(schema: z.ZodType, path: readonly string[]): readonly string[] {
  const fields = fieldsAt(schema, path);
  if (fields.length > 0) return fields.flatMap((field) => leafFields(schema, [...path, field]));
  if (!/list|map/.test(typeAt(schema, path))) return [path.join('.')];
  return leafFields(schema, [...path, '*']);
}

/** Fields that resources of the kind have in any of the scenarios, and all that these are in. */
export function usedFields(schema: z.ZodType, kind: string, scenarios: readonly Scenario[]): ReadonlySet<string> {
  const used = new Set<string>();
  const visit = (value: unknown, path: readonly string[]): void => {
    used.add(path.join('.'));
    if (typeof value !== 'object' || value === null) return;
    const fields = fieldsAt(schema, path);
    for (const [key, item] of Object.entries(value)) {
      visit(item, [...path, Array.isArray(value) || !fields.includes(key) ? '*' : key]);
    }
  };
  for (const { yaml } of scenarios) {
    for (const document of parseAllDocuments(yaml)) {
      const resource = document.toJS() as { readonly kind?: string } | null;
      if (resource?.kind === kind) visit(resource, []);
    }
  }
  return used;
}

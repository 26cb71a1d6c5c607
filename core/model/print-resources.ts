import { Document } from 'yaml';
import type { Resource } from './resource.ts';

/** Fields that people expect first, by rank; all others follow in the order they have. */
const firstKeys = ['apiVersion', 'kind', 'metadata', 'spec', 'name', 'namespace', 'hosts', 'host', 'match', 'fault'];

function rank(key: string): number {
  const index = firstKeys.indexOf(key);
  return index === -1 ? firstKeys.length : index;
}

function tidy(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(tidy);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  entries.sort(([a], [b]) => rank(a) - rank(b));
  return Object.fromEntries(entries.map(([key, item]) => [key, tidy(item)]));
}

/**
 * One resource as a YAML document, ending in a newline: `apiVersion`, `kind`, `metadata`, `spec`, no aliases, no wrapping.
 * Text that YAML 1.1 would take for something else (`yes`, `on`) is quoted, for Kubernetes reads YAML 1.1.
 */
export function printResource(resource: Resource): string {
  return new Document(tidy(resource), { aliasDuplicateObjects: false, compat: 'yaml-1.1' }).toString({ lineWidth: 0 });
}

/** Several resources as one YAML file, `---` between them; '' for none. */
export function printResources(resources: readonly Resource[]): string {
  return resources.map(printResource).join('---\n');
}

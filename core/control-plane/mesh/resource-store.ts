import type { Resource, ResourceKind } from '../../model/resource.ts';

/** Where resources are kept (the project's YAML files). The mesh reads all of them and writes few. */
export interface ResourceStore {
  all(): readonly Resource[];
  /** Adds or replaces by kind, namespace and name; resolves once it is on disk and `all()` answers with it. */
  put(resources: readonly Resource[]): Promise<void>;
  /** Resolves also when there is nothing to remove. */
  remove(kind: ResourceKind, namespace: string, name: string): Promise<void>;
  /** Calls back after every change, by whoever made it. Returns what takes the callback away again. */
  onChange(callback: () => void): () => void;
}

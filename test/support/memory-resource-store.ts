import type { ResourceStore } from '../../core/control-plane/mesh/resource-store.ts';
import { namespaceOf, type Resource, type ResourceKind } from '../../core/model/resource.ts';

export class MemoryResourceStore implements ResourceStore {
  #resources: Resource[] = [];
  readonly #callbacks = new Set<() => void>();

  all(): readonly Resource[] {
    return this.#resources;
  }

  async put(resources: readonly Resource[]): Promise<void> {
    for (const resource of resources) {
      this.#drop(resource.kind, namespaceOf(resource), resource.metadata.name);
      this.#resources.push(resource);
    }
    this.#tell();
  }

  async remove(kind: ResourceKind, namespace: string, name: string): Promise<void> {
    this.#drop(kind, namespace, name);
    this.#tell();
  }

  onChange(callback: () => void): () => void {
    this.#callbacks.add(callback);
    return () => this.#callbacks.delete(callback);
  }

  #drop(kind: ResourceKind, namespace: string, name: string): void {
    this.#resources = this.#resources.filter(
      (old) => old.kind !== kind || namespaceOf(old) !== namespace || old.metadata.name !== name,
    );
  }

  #tell(): void {
    for (const callback of this.#callbacks) callback();
  }
}

import { toHostProcess } from '../model/workload-entry.ts';
import type { Logger } from '../shared/logger.ts';
import { localityLabel, weightLabel } from '../snapshot/policies/localities.ts';
import { serviceAccountLabel } from '../snapshot/workload-identity.ts';
import type { ResourceStore } from './mesh/resource-store.ts';
import type { ProcessRuntime, RegisteredProcess } from './runtime/process/process-runtime.ts';
import type { ProcessRegistration } from './runtime/process/registration.ts';

export interface DeclaredProcessesOptions {
  readonly resources: Pick<ResourceStore, 'all' | 'onChange'>;
  readonly runtime: Pick<ProcessRuntime, 'register'>;
  readonly log: Logger;
  readonly onNotice: (notice: { level: 'error'; code: string | null; message: string }) => void;
}

/**
 * Host processes that the project's WorkloadEntry files declare. Makes them known to the process runtime, and takes them
 * away when their file goes; a changed entry is a new process. Attaching them is the mesh's job.
 */
export class DeclaredProcesses {
  readonly #options: DeclaredProcessesOptions;
  readonly #known = new Map<string, { readonly text: string; readonly handle: RegisteredProcess }>();
  #stopWatching: (() => void) | null = null;
  #turn: Promise<void> = Promise.resolve();

  constructor(options: DeclaredProcessesOptions) {
    this.#options = options;
  }

  /** Resolves when what the files declare is known; follows their changes from then on. */
  start(): Promise<void> {
    this.#stopWatching = this.#options.resources.onChange(() => void this.#follow());
    return this.#follow();
  }

  close(): Promise<void> {
    this.#stopWatching?.();
    return this.#turn;
  }

  #follow(): Promise<void> {
    const { log, onNotice } = this.#options;
    this.#turn = this.#turn
      .then(() => this.#apply())
      .catch((error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        log.error('host processes of the project', error);
        onNotice({ level: 'error', code: null, message: `Host processes were not made known: ${reason}` });
      });
    return this.#turn;
  }

  async #apply(): Promise<void> {
    const declared = toRegistrations(this.#options.resources);
    for (const [key, { text, handle }] of [...this.#known]) {
      const now = declared.get(key);
      if (now !== undefined && JSON.stringify(now) === text) continue;
      this.#known.delete(key);
      handle.unregister();
    }
    const added = [...declared].filter(([key]) => !this.#known.has(key));
    if (added.length === 0) return;
    const handles = await this.#options.runtime.register(added.map(([, registration]) => registration));
    for (const [index, [key, registration]] of added.entries()) {
      const handle = handles[index];
      if (handle !== undefined) this.#known.set(key, { text: JSON.stringify(registration), handle });
    }
  }
}

/** By key: `<namespace>/<name>`, so that nothing else can have it. */
function toRegistrations(resources: Pick<ResourceStore, 'all'>): Map<string, ProcessRegistration> {
  const registrations = new Map<string, ProcessRegistration>();
  for (const resource of resources.all()) {
    const declared = resource.kind === 'WorkloadEntry' ? toHostProcess(resource) : null;
    if (declared === null) continue;
    const { serviceAccount, locality, weight, ...process } = declared;
    const key = `${process.namespace}/${process.name}`;
    registrations.set(key, {
      ...process,
      key,
      labels: {
        ...process.labels,
        ...(serviceAccount === null ? {} : { [serviceAccountLabel]: serviceAccount }),
        ...(locality === '' ? {} : { [localityLabel]: locality }),
        ...(weight === 1 ? {} : { [weightLabel]: String(weight) }),
      },
      project: null,
      aliases: [],
      pid: null,
      declared: true,
    });
  }
  return registrations;
}

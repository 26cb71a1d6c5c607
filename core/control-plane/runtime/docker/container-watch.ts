/**
 * The engine's containers as workloads, kept up to date by its events. Our own containers, compose's one-off ones and
 * those that are labelled `dev.meshdesk.ignore` are left out; so are containers that were created but never started.
 */
import type Docker from 'dockerode';
import type { DiscoveredWorkload } from '../../../model/workload.ts';
import type { Logger } from '../../../shared/logger.ts';
import type { EngineEvent } from './engine-connection.ts';
import { isAbsent } from './engine-error.ts';
import { compose, isOurs, override } from './labels.ts';
import { toWorkload } from './to-workload.ts';

export interface ContainerWatchOptions {
  readonly log: Logger;
  readonly docker: () => Docker | null;
  readonly onChange: (workloads: readonly DiscoveredWorkload[]) => void;
}

const isHidden = (labels: Readonly<Record<string, string>>): boolean =>
  isOurs(labels) || labels[override.ignore] === 'true' || labels[compose.oneOff] === 'True';

export class ContainerWatch {
  readonly #options: ContainerWatchOptions;
  readonly #workloads = new Map<string, DiscoveredWorkload>();
  /** Containers with a look under way; `true`: something happened meanwhile, look again. */
  readonly #looking = new Map<string, boolean>();
  #announced = false;

  constructor(options: ContainerWatchOptions) {
    this.#options = options;
  }

  workloads(): readonly DiscoveredWorkload[] {
    return [...this.#workloads.values()].sort((a, b) => a.name.localeCompare(b.name));
  }

  find(id: string): DiscoveredWorkload | null {
    return this.#workloads.get(id) ?? null;
  }

  /** Lists everything anew. */
  async refreshAll(docker: Docker): Promise<void> {
    const listed = await docker.listContainers({ all: true });
    const ids = new Set(listed.map(({ Id }) => Id));
    for (const id of this.#workloads.keys()) if (!ids.has(id)) this.#workloads.delete(id);
    await Promise.all(listed.filter(({ Labels }) => !isHidden(Labels ?? {})).map(({ Id }) => this.#look(Id)));
    this.#announce();
  }

  /** The engine went away: nothing is known any more. */
  forget(): void {
    if (this.#workloads.size === 0) return;
    this.#workloads.clear();
    this.#announce();
  }

  onEvent(event: EngineEvent): void {
    const actor = event.Actor;
    if (actor === undefined) return;
    const id = event.Type === 'network' ? actor.Attributes?.['container'] : actor.ID;
    if (id === undefined || isHidden(actor.Attributes ?? {})) return;
    if (event.Action === 'destroy') {
      // What a look under way saw may be from before; it would bring the container back for good.
      if (this.#looking.has(id)) this.#looking.set(id, true);
      if (this.#workloads.delete(id)) this.#announce();
      return;
    }
    void this.#look(id).then(() => this.#announce());
  }

  async #look(id: string): Promise<void> {
    if (this.#looking.has(id)) {
      this.#looking.set(id, true);
      return;
    }
    this.#looking.set(id, false);
    try {
      do {
        this.#looking.set(id, false);
        await this.#inspect(id);
      } while (this.#looking.get(id) === true);
    } finally {
      this.#looking.delete(id);
    }
  }

  async #inspect(id: string): Promise<void> {
    const docker = this.#options.docker();
    if (docker === null) return;
    try {
      const info = await docker.getContainer(id).inspect();
      if (isHidden(info.Config.Labels ?? {}) || info.State.Status === 'created') this.#workloads.delete(id);
      else this.#workloads.set(id, toWorkload(info, toStateText(info)));
    } catch (error) {
      if (isAbsent(error)) this.#workloads.delete(id);
      else this.#options.log.warn(`container ${id.slice(0, 12)} could not be inspected: ${String(error)}`);
    }
  }

  /** Several changes of one moment are told once. */
  #announce(): void {
    if (this.#announced) return;
    this.#announced = true;
    queueMicrotask(() => {
      this.#announced = false;
      this.#options.onChange(this.workloads());
    });
  }
}

function toStateText({ State: state }: Docker.ContainerInspectInfo): string {
  const health = state.Health?.Status;
  const healthText = health === undefined || health === 'none' ? '' : ` (${health})`;
  if (state.Paused) return 'paused';
  if (state.Restarting) return 'restarting';
  if (state.Running) return `running${healthText}`;
  return `exited (${state.ExitCode})`;
}

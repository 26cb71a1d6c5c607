import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Logger } from '../../shared/logger.ts';
import { writeAtomically } from '../identity/ca-files.ts';

const Stored = z.strictObject({ formatVersion: z.literal(1), workloads: z.array(z.string()) });

/**
 * Workloads that the user wants attached (`<stateDir>/attached.json`): they are attached again after a restart, theirs
 * or the control plane's, until the user detaches them or they are removed.
 */
export class WantedSet {
  readonly #file: string;
  readonly #log: Logger;
  readonly #ids = new Set<string>();
  #writing: Promise<void> = Promise.resolve();

  constructor(stateDir: string, log: Logger) {
    this.#file = join(stateDir, 'attached.json');
    this.#log = log;
  }

  async load(): Promise<void> {
    try {
      for (const id of Stored.parse(JSON.parse(await readFile(this.#file, 'utf8'))).workloads) this.#ids.add(id);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      this.#log.warn(`${this.#file} cannot be read; nothing is attached again: ${String(error)}`);
    }
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  ids(): string[] {
    return [...this.#ids];
  }

  add(id: string): void {
    if (this.#ids.has(id)) return;
    this.#ids.add(id);
    this.#save();
  }

  delete(id: string): void {
    if (this.#ids.delete(id)) this.#save();
  }

  /** Resolves when the file says what the set says. */
  async close(): Promise<void> {
    await this.#writing;
  }

  #save(): void {
    const save = () => writeAtomically(this.#file, `${JSON.stringify({ formatVersion: 1, workloads: this.ids() })}\n`);
    this.#writing = this.#writing
      .then(save)
      .catch((error: unknown) => this.#log.error(`${this.#file} cannot be written`, error));
  }
}

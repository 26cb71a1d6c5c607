/** Ids that are kept over restarts, one set per file of the state folder. */
import { readFile, rename } from 'node:fs/promises';
import { z } from 'zod';
import type { Logger } from '../shared/logger.ts';
import { writeAtomically } from './identity/ca-files.ts';

const Stored = z.strictObject({ formatVersion: z.literal(1), workloads: z.array(z.string()) });

export interface IdFileOptions {
  readonly file: string;
  /** What follows from a file that cannot be read, for the log. */
  readonly without: string;
  readonly log: Logger;
}

const againMs = 5_000;

/**
 * A set of ids and the file that says the same. Writing never rejects: a failure (a full disk) is logged, the set goes on,
 * and it is tried again until the file is written. A file that cannot be read is put aside, so that nothing of it is lost.
 */
export class IdFile {
  readonly #options: IdFileOptions;
  readonly #ids = new Set<string>();
  #writing: Promise<void> = Promise.resolve();
  #failed = false;
  #again: NodeJS.Timeout | null = null;

  constructor(options: IdFileOptions) {
    this.#options = options;
  }

  /** What an earlier run wrote; no file is an empty set. */
  async load(): Promise<void> {
    const { file, without, log } = this.#options;
    try {
      for (const id of Stored.parse(JSON.parse(await readFile(file, 'utf8'))).workloads) this.#ids.add(id);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      const aside = `${file}.damaged`;
      const kept = await rename(file, aside).then(
        () => ` It is kept as ${aside}.`,
        () => '',
      );
      log.warn(`${file} cannot be read, so ${without}: ${error instanceof Error ? error.message : error}.${kept}`);
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

  /** Resolves when the file says what the set says, or once more could not be written. */
  async close(): Promise<void> {
    if (this.#again !== null) this.#save();
    await this.#writing;
    this.#stopAgain();
  }

  #save(): void {
    const { file, log } = this.#options;
    this.#stopAgain();
    const save = async () => {
      await writeAtomically(file, `${JSON.stringify({ formatVersion: 1, workloads: this.ids() })}\n`);
      if (this.#failed) log.warn(`${file} is written again`);
      this.#failed = false;
    };
    this.#writing = this.#writing.then(save).catch((error: unknown) => {
      if (!this.#failed) log.error(`${file} cannot be written; it is tried again every ${againMs / 1_000} s`, error);
      this.#failed = true;
      this.#stopAgain();
      this.#again = setTimeout(() => this.#save(), againMs).unref();
    });
  }

  #stopAgain(): void {
    if (this.#again !== null) clearTimeout(this.#again);
    this.#again = null;
  }
}

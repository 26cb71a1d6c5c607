import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { Logger } from '../../../shared/logger.ts';
import { writeAtomically } from '../../identity/ca-files.ts';
import { startOfProcess } from '../../process-start.ts';

const Held = z.strictObject({ pid: z.number().int().positive(), started: z.string() });
const Stored = z.strictObject({ formatVersion: z.literal(1), held: z.array(Held) });

/**
 * Processes that are held by a fault, in a file: when this program and what holds them are both killed, the next start lets
 * them go. A process id that is somebody else's by then is left alone.
 */
export class HeldProcesses {
  readonly #file: string | null;
  readonly #log: Logger;
  readonly #held = new Map<number, string>();
  #writing: Promise<void> = Promise.resolve();

  constructor(file: string | null, log: Logger) {
    this.#file = file;
    this.#log = log;
  }

  /** Resolves when it is written down. */
  async add(pid: number): Promise<void> {
    const started = await startOfProcess(pid);
    if (started === null) return;
    this.#held.set(pid, started);
    await this.#save();
  }

  async remove(pid: number): Promise<void> {
    if (this.#held.delete(pid)) await this.#save();
  }

  /** Lets go what an earlier run has left. */
  async release(): Promise<void> {
    for (const { pid, started } of await this.#read()) {
      if ((await startOfProcess(pid)) !== started) continue;
      this.#log.warn(`process ${pid} was still held by a fault of an earlier run`);
      process.kill(pid, 'SIGCONT');
    }
  }

  async #read(): Promise<readonly z.infer<typeof Held>[]> {
    if (this.#file === null) return [];
    try {
      return Stored.parse(JSON.parse(await readFile(this.#file, 'utf8'))).held;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#log.warn(`${this.#file}: ${String(error)}`);
      return [];
    }
  }

  #save(): Promise<void> {
    const file = this.#file;
    if (file === null) return Promise.resolve();
    const write = async () => {
      const held = [...this.#held].map(([pid, started]) => ({ pid, started }));
      await writeAtomically(file, `${JSON.stringify({ formatVersion: 1, held })}\n`);
    };
    this.#writing = this.#writing
      .then(write)
      .catch((error: unknown) => this.#log.error(`${file} cannot be written`, error));
    return this.#writing;
  }
}

/**
 * The last good configuration and certificate, in a file next to the control socket (in a container: a tmpfs that ends
 * with it), so that a sidecar that was started again serves at once, without the control plane. Faults are not kept:
 * they need a living control plane.
 */
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { readSavedState, type SavedState } from './read-messages.ts';

export class StateFile {
  readonly #path: string;
  #writing: Promise<void> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  /** `null` when there is none. Throws when it cannot be read or is not ours; `discard` it then. */
  async read(): Promise<SavedState | null> {
    let text: string;
    try {
      text = await readFile(this.#path, 'utf8');
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
      throw error;
    }
    const state = readSavedState(JSON.parse(text));
    if ('issues' in state) throw new Error(state.issues);
    return state.value;
  }

  /** Replaces the file in one step; calls are done one after the other. */
  write(state: Omit<SavedState, 'formatVersion'>): Promise<void> {
    const config = state.config === null ? null : { ...state.config, faults: [], injections: [] };
    const text = JSON.stringify({ formatVersion: 1, config, identity: state.identity } satisfies SavedState);
    const next = async () => {
      const temporary = `${this.#path}.new`;
      await rm(temporary, { force: true });
      await writeFile(temporary, text, { mode: 0o600, flag: 'wx' });
      await rename(temporary, this.#path);
    };
    this.#writing = this.#writing.then(next, next);
    return this.#writing;
  }

  async discard(): Promise<void> {
    await rm(this.#path, { force: true });
  }
}

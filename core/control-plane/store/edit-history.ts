/** What was changed in the project's files, newest last, so that it can be undone and done again. */

/** One file of a change; `null`: there was none, or there is none any more. */
export interface FileChange {
  readonly path: string;
  readonly before: string | null;
  readonly after: string | null;
}

export interface Change {
  readonly id: number;
  readonly atMs: number;
  /** What was done, for people: `put VirtualService shop/payments`, `changed on disk`. */
  readonly label: string;
  readonly files: readonly FileChange[];
}

const maxChanges = 100;

export class EditHistory {
  readonly #done: Change[] = [];
  readonly #undone: Change[] = [];
  #count = 0;

  /** Notes a change; what was undone before it cannot be done again. A change of nothing is none. */
  add(label: string, files: readonly FileChange[], atMs: number): void {
    const changed = files.filter(({ before, after }) => before !== after);
    if (changed.length === 0) return;
    this.#count += 1;
    this.#undone.length = 0;
    this.#done.push({ id: this.#count, atMs, label, files: changed });
    if (this.#done.length > maxChanges) this.#done.shift();
  }

  /** Newest first: what `undo` would take back, and what `redo` would bring back. */
  list(): { readonly done: readonly Change[]; readonly undone: readonly Change[] } {
    return { done: this.#done.toReversed(), undone: this.#undone.toReversed() };
  }

  nextUndo(): Change | null {
    return this.#done.at(-1) ?? null;
  }

  nextRedo(): Change | null {
    return this.#undone.at(-1) ?? null;
  }

  /** To be called once the files are as they were. */
  undone(): void {
    const change = this.#done.pop();
    if (change !== undefined) this.#undone.push(change);
  }

  redone(): void {
    const change = this.#undone.pop();
    if (change !== undefined) this.#done.push(change);
  }
}

/** The last lines a process wrote, for whoever opens its log later, and the new ones as they come. */
export class OutputBuffer {
  readonly #chunks: string[] = [];
  readonly #listeners = new Set<(text: string) => void>();
  readonly #maxChars: number;
  #chars = 0;

  /** @param maxChars how much is kept; default 64 Ki characters */
  constructor(maxChars = 65_536) {
    this.#maxChars = maxChars;
  }

  append(text: string): void {
    this.#chunks.push(text);
    this.#chars += text.length;
    while (this.#chars > this.#maxChars && this.#chunks.length > 1) this.#chars -= this.#chunks.shift()?.length ?? 0;
    for (const listener of this.#listeners) listener(text);
  }

  text(): string {
    return this.#chunks.join('');
  }

  /** The last `count` lines, for error messages. */
  tail(count: number): string {
    return this.text().trimEnd().split('\n').slice(-count).join('\n');
  }

  listen(listener: (text: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

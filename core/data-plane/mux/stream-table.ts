import { MuxError } from './frame.ts';
import type { Outbox } from './outbox.ts';
import type { MuxStream } from './stream.ts';
import type { WindowLedger } from './window-ledger.ts';

/** The open streams of a session. Numbers only grow, so a number that is not here has ended or never was. */
export class StreamTable {
  readonly ledger: WindowLedger;
  readonly #outbox: Outbox;
  readonly #streams = new Map<number, MuxStream>();
  /** Client: opened last. Server: accepted, or refused, last. */
  last = 0;

  constructor(ledger: WindowLedger, outbox: Outbox) {
    this.ledger = ledger;
    this.#outbox = outbox;
  }

  get size(): number {
    return this.#streams.size;
  }

  list(): MuxStream[] {
    return [...this.#streams.values()];
  }

  add(stream: MuxStream, id: number): void {
    this.last = id;
    stream.id = id;
    this.ledger.begin(stream);
    this.#streams.set(id, stream);
    if (this.#streams.size > 1) this.#outbox.noteCompany();
  }

  /** False when it was not there. */
  remove(stream: MuxStream): boolean {
    if (!this.#streams.delete(stream.id)) return false;
    this.ledger.end(stream);
    return true;
  }

  /** The stream, or `null` when it has ended. Throws when it never was; `name` is the frame's. */
  find(id: number, name: string): MuxStream | null {
    const stream = this.#streams.get(id);
    if (stream !== undefined) return stream;
    if (id > 0 && id <= this.last) return null;
    throw new MuxError('protocol', `${name} for stream ${id}, which was never opened`);
  }
}

/** Open logs and shells. Their output goes out as events; what nobody listens to any more is closed by its user or with us. */
import { randomUUID } from 'node:crypto';
import type { EventPayload, MethodParsed } from '../../contract/contract.ts';
import { MeshError } from '../../contract/errors.ts';
import type { TerminalSession } from '../runtime/runtime.ts';

const maxTerminals = 64;

export interface TerminalsOptions {
  readonly open: (request: MethodParsed<'terminal.open'>) => Promise<TerminalSession>;
  readonly onData: (event: EventPayload<'terminal.data'>) => void;
  readonly onExit: (event: EventPayload<'terminal.exit'>) => void;
}

export class Terminals {
  readonly #options: TerminalsOptions;
  readonly #sessions = new Map<string, TerminalSession>();

  constructor(options: TerminalsOptions) {
    this.#options = options;
  }

  async open(request: MethodParsed<'terminal.open'>): Promise<{ id: string }> {
    if (this.#sessions.size >= maxTerminals)
      throw new MeshError('CONFLICT', `${maxTerminals} terminals are open; close one first.`);
    const session = await this.#options.open(request);
    const id = randomUUID();
    this.#sessions.set(id, session);
    // The caller learns the id from the answer, so the first output has to come after it.
    setImmediate(() => {
      session.onData((data) => this.#options.onData({ id, data }));
      session.onExit((code) => {
        this.#sessions.delete(id);
        this.#options.onExit({ id, code });
      });
    });
    return { id };
  }

  input(id: string, data: string): Record<string, never> {
    this.#find(id).write(data);
    return {};
  }

  async resize(id: string, columns: number, rows: number): Promise<Record<string, never>> {
    await this.#find(id).resize(columns, rows);
    return {};
  }

  /** Closing one that is gone is no error: it may have ended by itself. */
  close(id: string): Record<string, never> {
    this.#sessions.get(id)?.close();
    this.#sessions.delete(id);
    return {};
  }

  closeAll(): void {
    for (const id of [...this.#sessions.keys()]) this.close(id);
  }

  #find(id: string): TerminalSession {
    const session = this.#sessions.get(id);
    if (session === undefined) throw new MeshError('NOT_FOUND', 'This terminal has ended.');
    return session;
  }
}

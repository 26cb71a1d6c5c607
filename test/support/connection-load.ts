import { Agent, request } from 'node:http';
import { eventually } from './eventually.ts';

export interface LoadTarget {
  readonly host: string;
  readonly port: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Requests without an end: over connections of their own at a rate, and one after the other over kept ones. What did not
 * come back as 200 is kept in `failures`.
 */
export class ConnectionLoad {
  answered = 0;
  readonly failures: string[] = [];
  readonly #target: LoadTarget;
  readonly #timer: NodeJS.Timeout;
  readonly #agent = new Agent({ keepAlive: true });
  #open = 0;
  #isOver = false;

  constructor(target: LoadTarget, options: { readonly newPerSecond: number; readonly kept: number }) {
    this.#target = target;
    this.#timer = setInterval(() => void this.#get(false), 1_000 / options.newPerSecond);
    for (let index = 0; index < options.kept; index += 1) void this.#loop();
  }

  /** Resolves when this many more requests have been answered. */
  async more(count: number): Promise<void> {
    const from = this.answered;
    await eventually(`${count} more answers`, () => (this.answered >= from + count ? true : null));
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    clearInterval(this.#timer);
    await eventually('the last answers', () => (this.#open === 0 ? true : null));
    this.#agent.destroy();
  }

  async #loop(): Promise<void> {
    while (!this.#isOver) {
      await this.#get(this.#agent);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  #get(agent: Agent | false): Promise<void> {
    this.#open += 1;
    return new Promise((resolve) => {
      const done = (failure: string | null) => {
        this.#open -= 1;
        if (failure === null) this.answered += 1;
        else this.failures.push(`${agent ? 'kept' : 'new'} connection: ${failure}`);
        resolve();
      };
      const outgoing = request({ ...this.#target, agent }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        response.on('end', () => done(response.statusCode === 200 ? null : `${response.statusCode} ${text}`));
        response.on('error', (error) => done(error.message));
      });
      outgoing.on('error', (error) => done(error.message));
      outgoing.end();
    });
  }
}

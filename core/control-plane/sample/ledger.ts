/**
 * The shop's ledger: a line protocol over TCP in which the server speaks first, like MySQL or SMTP. Server: greets with
 * `+LEDGER 1`, answers `APPEND <text>` with `+OK <number>`. Client: one connection that is renewed every few seconds, as
 * pools with a maximum age do.
 */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { createInterface, type Interface } from 'node:readline';
import { type UpstreamAddress, Way } from './upstream.ts';

const maxAgeMs = 5_000;
const answerTimeoutMs = 5_000;

export function createLedgerServer(): Server {
  let entries = 0;
  return createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.write('+LEDGER 1\r\n');
    const lines = createInterface({ input: socket });
    lines.on('error', () => undefined); // the socket's own, which readline passes on; handled above
    lines.on('line', (line) => {
      if (line.startsWith('APPEND ')) {
        entries += 1;
        socket.write(`+OK ${entries}\r\n`);
      } else socket.write('-ERR unknown command\r\n');
    });
  });
}

class LedgerConnection {
  readonly #socket: Socket;
  readonly #lines: Interface;
  readonly #openedAt = performance.now();

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#lines = createInterface({ input: socket });
    this.#lines.on('error', () => undefined); // the socket's own; whoever waits for a line sees the end
  }

  static async open(target: { host: string; port: number }): Promise<LedgerConnection> {
    const socket = connect(target);
    await once(socket, 'connect');
    socket.on('error', () => socket.destroy());
    const connection = new LedgerConnection(socket);
    await connection.#line();
    return connection;
  }

  get usable(): boolean {
    return !this.#socket.destroyed && this.#socket.writable && performance.now() - this.#openedAt < maxAgeMs;
  }

  async append(text: string): Promise<string> {
    this.#socket.write(`APPEND ${text}\r\n`);
    return this.#line();
  }

  end(): void {
    this.#socket.end();
    this.#socket.resume();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  async #line(): Promise<string> {
    const answered = new AbortController();
    const signal = AbortSignal.any([answered.signal, AbortSignal.timeout(answerTimeoutMs)]);
    const closed = once(this.#lines, 'close', { signal }).then(() => {
      throw new Error('the ledger closed the connection');
    });
    try {
      const [line] = (await Promise.race([once(this.#lines, 'line', { signal }), closed])) as [string];
      return line;
    } finally {
      closed.catch(() => undefined); // it is only waited for until now
      answered.abort();
    }
  }
}

/** Appends one entry at a time, in order. An entry whose connection failed is sent once more on a new one. */
export class LedgerClient {
  readonly #way: Way;
  #connection: LedgerConnection | null = null;
  #meshed = false;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(address: UpstreamAddress) {
    this.#way = new Way(address);
  }

  append(text: string): Promise<string> {
    const result = this.#turn.then(() => this.#send(text).catch(() => this.#send(text)));
    this.#turn = result.catch(() => undefined);
    return result;
  }

  close(): void {
    this.#connection?.destroy();
  }

  async #send(text: string): Promise<string> {
    try {
      this.#connection = await this.#current();
      return await this.#connection.append(text);
    } catch (error) {
      this.#connection?.destroy();
      this.#connection = null;
      throw new Error(`ledger ${this.#meshed ? 'through the sidecar' : 'directly'}: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  async #current(): Promise<LedgerConnection> {
    const { target, isMesh } = this.#way.choose();
    if (this.#connection?.usable && this.#meshed === isMesh) return this.#connection;
    try {
      const next = await LedgerConnection.open(target);
      this.#connection?.end();
      this.#meshed = isMesh;
      if (isMesh) this.#way.answered();
      return next;
    } catch (error) {
      if (!isMesh || (error as NodeJS.ErrnoException).code !== 'ECONNREFUSED') throw error;
      this.#way.refused();
      return this.#current();
    }
  }
}

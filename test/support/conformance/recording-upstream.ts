import { once } from 'node:events';
import net from 'node:net';
import { type Ending, type RequestMessage, readRequests } from './reference-parser.ts';

/** One connection that was opened to the upstream. */
export class RecordedConnection {
  readonly socket: net.Socket;
  /** Every byte that arrived, latin1. */
  received = '';
  closed = false;
  ending: Ending = 'nothing';
  #parsedTo = 0;
  #continued = 0;

  constructor(socket: net.Socket) {
    this.socket = socket;
  }

  /** Takes bytes and returns the messages that they complete. */
  take(bytes: Buffer): RequestMessage[] {
    this.received += bytes.toString('latin1');
    const stream = readRequests(this.received.slice(this.#parsedTo), true, true);
    this.#parsedTo += stream.end;
    this.ending = stream.ending;
    if (
      this.ending === 'body' &&
      this.#continued < this.#parsedTo + 1 &&
      /\r\nexpect: *100-continue\r\n/i.test(this.#open)
    ) {
      this.#continued = this.#parsedTo + 1;
      this.socket.write('HTTP/1.1 100 Continue\r\n\r\n');
    }
    return [...stream.messages];
  }

  get #open(): string {
    return this.received.slice(this.#parsedTo);
  }
}

export type Answer = (message: RequestMessage, connection: RecordedConnection) => string | null;

const plainAnswer: Answer = ({ method }) => {
  const body = method === 'HEAD' ? '' : 'recorded';
  return `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 8\r\n\r\n${body}`;
};

/**
 * An application that keeps every byte it was sent and understands it with the reference parser. It answers every complete
 * request, with 200 unless `answer` says otherwise (`null`: it has answered by itself, or does not).
 */
export class RecordingUpstream {
  readonly connections: RecordedConnection[] = [];
  /** Complete messages, in the order in which they arrived. */
  readonly messages: RequestMessage[] = [];
  answer: Answer = plainAnswer;
  /** Bytes to send as soon as a connection opens, before any request. */
  greeting: string | null = null;
  port = 0;
  readonly #server: net.Server;

  constructor() {
    this.#server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket));
  }

  async start(): Promise<this> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the upstream has no port');
    this.port = address.port;
    return this;
  }

  /** Forgets what was recorded; connections stay open. */
  forget(): void {
    this.messages.length = 0;
    const open = this.connections.filter(({ closed }) => !closed);
    this.connections.splice(0, this.connections.length, ...open);
  }

  /** Ends every connection, so that what one case has left does not disturb the next. */
  reset(): void {
    for (const { socket } of this.connections.splice(0)) socket.destroy();
  }

  async close(): Promise<void> {
    for (const { socket } of this.connections) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(socket: net.Socket): void {
    const connection = new RecordedConnection(socket);
    this.connections.push(connection);
    if (this.greeting !== null) socket.write(this.greeting, 'latin1');
    socket.on('data', (bytes: Buffer) => {
      for (const message of connection.take(bytes)) {
        this.messages.push(message);
        const answer = this.answer(message, connection);
        if (answer !== null && socket.writable) socket.write(answer, 'latin1');
      }
    });
    // The sidecar may reset what it has given up; that is part of what is recorded.
    socket.on('error', () => undefined);
    socket.on('end', () => socket.end());
    socket.on('close', () => {
      connection.closed = true;
    });
  }
}

import type { Socket } from 'node:net';

/** The upstream side of a connection whose client is silent so far. */
export interface QuietUpstream {
  /** Resolves with the connection, or `null` when it failed or was given up. */
  readonly connecting: Promise<Socket | null>;
  /** Gives up connecting. */
  abort(): void;
  /** The server spoke first, or went away: nobody reads from the client any more. Returns what had been read. */
  serverSpoke(): Buffer;
  /** Joins the two for good. */
  join(server: Socket, head: Buffer): void;
}

/**
 * A client that says nothing may be waiting for the server, or be late: a connection opened in advance, a loaded machine.
 * So the server is connected for it, and whoever speaks first decides. A server makes it TCP; a client is looked at as
 * if it had not been silent, and when it speaks something else than TCP the upstream connection is given up unused.
 */
export class QuietConnection {
  readonly #upstream: QuietUpstream;
  #server: Socket | null = null;
  #head: Buffer | null = null;
  #isOver = false;

  constructor(upstream: QuietUpstream) {
    this.#upstream = upstream;
    void upstream.connecting.then((server) => this.#onConnected(server));
  }

  /** The client spoke, and it is TCP. */
  join(head: Buffer): void {
    this.#head = head;
    if (this.#server !== null) this.#finish(this.#server, head);
  }

  /** The client spoke, and somebody else serves it. */
  release(): void {
    this.#isOver = true;
    this.#upstream.abort();
    this.#server?.destroy();
  }

  #onConnected(server: Socket | null): void {
    if (server === null) {
      if (!this.#isOver && this.#head === null) this.#upstream.serverSpoke();
      return;
    }
    if (this.#isOver) {
      server.destroy();
      return;
    }
    this.#server = server;
    if (this.#head !== null) {
      this.#finish(server, this.#head);
      return;
    }
    const onData = (chunk: Buffer) => {
      server.pause();
      server.unshift(chunk);
      onEnd();
    };
    const onEnd = () => {
      this.#detach = () => undefined;
      server.removeListener('data', onData);
      server.removeListener('end', onEnd);
      server.removeListener('close', onEnd);
      if (!this.#isOver) this.#finish(server, this.#head ?? this.#upstream.serverSpoke());
    };
    this.#detach = () => {
      server.removeListener('data', onData);
      server.removeListener('end', onEnd);
      server.removeListener('close', onEnd);
      server.pause();
    };
    server.on('data', onData);
    server.on('end', onEnd);
    server.on('close', onEnd);
  }

  #detach: () => void = () => undefined;

  #finish(server: Socket, head: Buffer): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#detach();
    this.#upstream.join(server, head);
  }
}

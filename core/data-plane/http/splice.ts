import type { Socket } from 'node:net';
import type { EdgeRecorder } from '../connection.ts';
import { openWire } from '../wire/open-wire.ts';
import type { Wire, WireOwner } from '../wire/wire.ts';
import type { HttpEndpoint } from './compiled-service.ts';
import type { DownstreamParts } from './downstream-parts.ts';

interface SpliceOptions {
  /** Bytes that were read from the client already. */
  readonly early: Buffer;
  readonly connect: (signal: AbortSignal) => Promise<Socket>;
  readonly recorder: EdgeRecorder;
  /** The recorder counts the connection to the server. */
  readonly countsConnection: boolean;
  /** The client's wire is gone. */
  readonly onClosed: () => void;
}

/** A client's wire, spliced to an endpoint; `recorder` counts already that it is open, `null`: nobody does. */
export function spliceClient(
  client: Wire,
  { connector, telemetry }: Pick<DownstreamParts, 'connector' | 'telemetry'>,
  options: Pick<SpliceOptions, 'early' | 'onClosed'> & { endpoint: HttpEndpoint; recorder: EdgeRecorder | null },
): SplicedConnection {
  const { endpoint, early, recorder, onClosed } = options;
  return new SplicedConnection(client, {
    early,
    connect: (signal) => connector.connect(endpoint.target, signal),
    recorder: recorder ?? telemetry.edge({ ...endpoint.edge, protocol: 'tcp' }),
    countsConnection: recorder === null,
    onClosed,
  });
}

/**
 * A client's connection that goes on as plain bytes to a server that has to be connected first, with back-pressure and
 * half-close. An abrupt end of one side ends the other.
 */
export class SplicedConnection implements WireOwner {
  readonly #client: Wire;
  readonly #options: SpliceOptions;
  readonly #connecting = new AbortController();
  #server: Wire | null = null;
  #ended = false;
  #closed = false;

  constructor(client: Wire, options: SpliceOptions) {
    this.#client = client;
    this.#options = options;
    client.owner = this;
    client.pause();
    options.connect(this.#connecting.signal).then(
      (socket) => this.#join(socket),
      () => this.#client.destroy(),
    );
  }

  onBytes(bytes: Buffer, start: number, end: number): void {
    this.#options.recorder.bytes(end - start, 0);
    if (this.#server !== null && !this.#server.send(bytes, start, end)) this.#client.pause();
  }

  onEnd(): void {
    this.#ended = true;
    this.#server?.end();
  }

  onDrain(): void {
    this.#server?.resume();
  }

  onClose(error: Error | null): void {
    this.#closed = true;
    this.#connecting.abort();
    if (error !== null || !this.#ended) this.#server?.reset();
    this.#options.onClosed();
  }

  #join(socket: Socket): void {
    const { recorder, countsConnection, early } = this.#options;
    const client = this.#client;
    if (this.#closed) {
      socket.destroy();
      return;
    }
    if (countsConnection) recorder.connectionOpened();
    let ended = false;
    const server = openWire(socket, {
      onBytes: (bytes, start, end) => {
        recorder.bytes(0, end - start);
        if (!client.send(bytes, start, end)) server.pause();
      },
      onEnd: () => {
        ended = true;
        client.end();
      },
      onDrain: () => client.resume(),
      onClose: (error) => {
        if (countsConnection) recorder.connectionClosed();
        if (error !== null || !ended) client.reset();
      },
    });
    this.#server = server;
    recorder.bytes(early.length, 0);
    const goOn = server.send(early, 0, early.length);
    if (this.#ended) server.end();
    if (goOn) client.resume();
  }
}

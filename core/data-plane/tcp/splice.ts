import type { Wire, WireOwner } from '../wire/wire.ts';

/** Counts bytes as they are forwarded: from the client to the server, and back. */
export interface SpliceMeter {
  toServer(bytes: number): void;
  toClient(bytes: number): void;
}

/** A wire that has a splice as owner, which is given both wires afterwards. */
export type OpenEnd = (owner: WireOwner) => Wire;

/** A peer that takes nothing any more must not keep the connection for ever. */
export const flushDeadlineMs = 5_000;
const flushPollMs = 50;
/** What may wait for a slow reader in each direction: thousands of them must fit into memory. */
const sendLimitBytes = 64 * 1024;

/**
 * Joins two connections. Each direction ends by itself (half-close), reads stop while the other side cannot take more,
 * and when one side breaks, what it had sent is delivered before the other side is reset. `done` is called once, when
 * both are closed.
 */
export class Splice {
  readonly client: Wire;
  readonly server: Wire;
  readonly #done: () => void;
  #open = 2;

  /** `head`: bytes already read from the client. */
  constructor(openClient: OpenEnd, openServer: OpenEnd, head: Buffer, meter: SpliceMeter, done: () => void) {
    this.#done = done;
    const fromClient = new Direction(
      (bytes) => meter.toServer(bytes),
      () => this.#closed(),
    );
    const fromServer = new Direction(
      (bytes) => meter.toClient(bytes),
      () => this.#closed(),
    );
    this.client = openClient(fromClient);
    this.server = openServer(fromServer);
    this.client.sendLimitBytes = this.server.sendLimitBytes = sendLimitBytes;
    fromClient.connect(this.client, this.server);
    fromServer.connect(this.server, this.client);
    if (head.length > 0) fromClient.onBytes(head, 0, head.length);
  }

  /** Ends both so that neither takes it for a regular end; what is queued goes out first. */
  breakOff(): void {
    breakOffWire(this.client);
  }

  #closed(): void {
    this.#open -= 1;
    if (this.#open === 0) this.#done();
  }
}

/** What comes from one side and goes to the other. */
class Direction implements WireOwner {
  readonly #count: (bytes: number) => void;
  readonly #closed: () => void;
  #from: Wire | null = null;
  #to: Wire | null = null;
  #hasEnded = false;

  constructor(count: (bytes: number) => void, closed: () => void) {
    this.#count = count;
    this.#closed = closed;
  }

  connect(from: Wire, to: Wire): void {
    this.#from = from;
    this.#to = to;
  }

  onBytes(bytes: Buffer, start: number, end: number): void {
    this.#count(end - start);
    if (this.#to?.send(bytes, start, end) === false) this.#from?.pause();
  }

  onEnd(): void {
    this.#hasEnded = true;
    this.#to?.end();
  }

  /** The side that this one reads from has room again: what the other side sends may go on. */
  onDrain(): void {
    this.#to?.resume();
  }

  onClose(error: Error | null): void {
    // Closed without an end of its own: whoever destroyed it wants the other side to know.
    if (this.#to !== null && (error !== null || !this.#hasEnded)) breakOffWire(this.#to);
    this.#closed();
  }
}

/** Ends a connection so that the peer does not take it for a regular end: what is queued goes out, then a reset. */
export function breakOffWire(wire: Wire): void {
  if (wire.closed) return;
  wire.pause();
  wire.flush();
  if (wire.queuedBytes === 0) {
    wire.reset();
    return;
  }
  const endsAtMs = performance.now() + flushDeadlineMs;
  const timer = setInterval(() => {
    if (wire.queuedBytes > 0 && !wire.closed && performance.now() < endsAtMs) return;
    clearInterval(timer);
    wire.reset();
  }, flushPollMs);
  timer.unref();
}

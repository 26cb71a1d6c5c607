import type { ToxicTimers } from '../toxics/toxic-link.ts';
import { type PlannedToxic, ToxicPipe } from '../toxics/toxic-pipe.ts';
import { realTimers } from '../toxics/toxic-timers.ts';
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
 * both are closed. Toxics may come between at any time; without them nothing does.
 */
export class Splice {
  readonly client: Wire;
  readonly server: Wire;
  readonly #fromClient: Direction;
  readonly #fromServer: Direction;
  readonly #done: () => void;
  #open = 2;

  constructor(openClient: OpenEnd, openServer: OpenEnd, meter: SpliceMeter, done: () => void) {
    this.#done = done;
    const closed = () => this.#closed();
    const fromClient = new Direction((bytes) => meter.toServer(bytes), closed);
    const fromServer = new Direction((bytes) => meter.toClient(bytes), closed);
    this.#fromClient = fromClient;
    this.#fromServer = fromServer;
    this.client = openClient(fromClient);
    this.server = openServer(fromServer);
    this.client.sendLimitBytes = this.server.sendLimitBytes = sendLimitBytes;
    fromClient.connect(this.client, this.server, fromServer);
    fromServer.connect(this.server, this.client, fromClient);
  }

  /** Bytes that have been read from the client already, before anything else of it. */
  begin(head: Buffer): void {
    if (head.length > 0) this.#fromClient.onBytes(head, 0, head.length);
  }

  /** Bytes that wait to be taken, in both directions. */
  get bufferedBytes(): number {
    const held = this.#fromClient.heldBytes + this.#fromServer.heldBytes;
    return this.client.queuedBytes + this.server.queuedBytes + held;
  }

  /** What the two directions are under from now on: towards the server, towards the client. */
  setToxics(upstream: readonly PlannedToxic[], downstream: readonly PlannedToxic[]): void {
    this.#fromClient.setToxics(upstream, realTimers);
    this.#fromServer.setToxics(downstream, realTimers);
  }

  /** Ends both so that neither takes it for a regular end; what is queued goes out first. */
  breakOff(): void {
    breakOffWire(this.client);
  }

  /** Ends both at once; what is queued may be lost. */
  close(): void {
    this.client.destroy();
    this.server.destroy();
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
  #opposite: Direction | null = null;
  #hasEnded = false;
  #isHeldUp = false;
  #pipe: ToxicPipe | null = null;

  constructor(count: (bytes: number) => void, closed: () => void) {
    this.#count = count;
    this.#closed = closed;
  }

  get heldBytes(): number {
    return this.#pipe?.bufferedBytes ?? 0;
  }

  connect(from: Wire, to: Wire, opposite: Direction): void {
    this.#from = from;
    this.#to = to;
    this.#opposite = opposite;
  }

  setToxics(toxics: readonly PlannedToxic[], timers: ToxicTimers): void {
    if (this.#pipe === null) {
      if (toxics.length === 0 || this.#hasEnded) return;
      this.#pipe = this.#openPipe(timers);
    }
    this.#pipe.setToxics(toxics);
    this.#dropIdlePipe();
  }

  onBytes(bytes: Buffer, start: number, end: number): void {
    this.#count(end - start);
    const goOn = this.#pipe === null ? this.#to?.send(bytes, start, end) : this.#pipe.push(bytes, start, end);
    if (goOn !== false) return;
    this.#isHeldUp = true;
    this.#from?.pause();
  }

  onEnd(): void {
    this.#hasEnded = true;
    if (this.#pipe === null) this.#to?.end();
    else this.#pipe.finish('end');
  }

  /** The side that this one reads from has room again: what the other side sends may go on. */
  onDrain(): void {
    this.#opposite?.receiverDrained();
  }

  receiverDrained(): void {
    this.#pipe?.resume();
    this.#dropIdlePipe();
    if (this.#pipe === null || this.#pipe.hasRoom) this.#goOn();
  }

  onClose(error: Error | null): void {
    this.#opposite?.receiverGone();
    // Closed without an end of its own: whoever destroyed it wants the other side to know.
    if (this.#to !== null && (error !== null || !this.#hasEnded)) {
      this.#hasEnded = true;
      if (this.#pipe === null || this.#pipe.isFinished) breakOffWire(this.#to);
      else this.#pipe.finish('broken');
    }
    this.#closed();
  }

  receiverGone(): void {
    this.#pipe?.discard();
    this.#pipe = null;
  }

  #openPipe(timers: ToxicTimers): ToxicPipe {
    const pipe = new ToxicPipe(timers, {
      send: (bytes) => {
        const goOn = this.#to?.send(bytes, 0, bytes.length) ?? true;
        // What a toxic keeps apart must not leave together.
        this.#to?.flush();
        return goOn;
      },
      finish: (ending) => this.#endBy(ending),
      onRoom: () => this.#goOn(),
    });
    if (this.#isHeldUp) pipe.hold();
    return pipe;
  }

  /** The sender's end has got through, or a toxic ends the connection. */
  #endBy(ending: 'end' | 'broken' | 'close' | 'reset'): void {
    const [from, to] = [this.#from, this.#to];
    if (from === null || to === null) return;
    if (ending === 'end') to.end();
    else if (ending === 'broken') breakOffWire(to);
    else {
      this.over();
      this.#opposite?.over();
      for (const wire of [to, from]) {
        if (ending === 'reset') wire.reset();
        else closeWire(wire);
      }
    }
  }

  /** The connection is ended on both sides: neither has to hear of the other's end. */
  over(): void {
    this.#hasEnded = true;
    this.receiverGone();
    this.#to = null;
  }

  #goOn(): void {
    this.#isHeldUp = false;
    this.#from?.resume();
  }

  #dropIdlePipe(): void {
    if (this.#pipe?.isIdle !== true || this.#hasEnded) return;
    this.#pipe = null;
    this.#goOn();
  }
}

/** Ends a connection so that the peer does not take it for a regular end: what is queued goes out, then a reset. */
export function breakOffWire(wire: Wire): void {
  if (wire.closed) return;
  wire.pause();
  wire.flush();
  afterFlush(wire, () => wire.reset());
}

/** Ends a connection in both directions: what is queued goes out, then a FIN; what still arrives is not read. */
function closeWire(wire: Wire): void {
  if (wire.closed) return;
  wire.pause();
  wire.end();
  afterFlush(wire, () => wire.destroy());
}

function afterFlush(wire: Wire, then: () => void): void {
  if (wire.queuedBytes === 0) {
    then();
    return;
  }
  const endsAtMs = performance.now() + flushDeadlineMs;
  const timer = setInterval(() => {
    if (wire.queuedBytes > 0 && !wire.closed && performance.now() < endsAtMs) return;
    clearInterval(timer);
    then();
  }, flushPollMs);
  timer.unref();
}

import { afterDispatch, type DispatchTask } from '../wire/output.ts';
import type { Wire, WireOwner } from '../wire/wire.ts';
import { frameType, type HeadInfo, MuxError, type MuxErrorCode } from './frame.ts';
import { FrameReader } from './frame-reader.ts';
import { type GoAway, sendGoAway } from './go-away.ts';
import { defaultLimits, type MuxLimits } from './limits.ts';
import { Liveness } from './liveness.ts';
import { Outbox } from './outbox.ts';
import { Receiver, type ReceivingSession } from './receiver.ts';
import { leastSettings, type PeerSettings, writeSettings } from './settings.ts';
import { MuxStream, type MuxStreamOwner, noOwner, type StreamSession } from './stream.ts';
import { StreamTable } from './stream-table.ts';
import { WindowLedger } from './window-ledger.ts';

/** Who has a session. No callback runs inside a call to the session. */
export interface MuxSessionOwner {
  /** The peer's settings are known: more streams may be opened (client side). */
  onReady(): void;
  /** The peer opened a stream; returns who answers it. The head follows at once (server side). */
  onStream(stream: MuxStream, info: HeadInfo): MuxStreamOwner;
  /** Streams have ended: others may be opened. */
  onRoom(): void;
  /** The peer wants no new streams; those that are open live on (client side). */
  onDraining(): void;
  /** Gone; all streams were told before. `null` after an orderly end. */
  onClose(error: Error | null): void;
}

export interface MuxSessionOptions {
  readonly role: 'client' | 'server';
  readonly owner: MuxSessionOwner;
  readonly monotonicMs: () => number;
  readonly limits?: MuxLimits;
}

const lastStreamNumber = 0x7fff_ffff;
/** After an error the connection stays for the peer to read why. */
const lingerMs = 2_000;
/** One side of a connection that carries many requests. Takes over `wire`. */
export class MuxSession implements WireOwner, StreamSession, ReceivingSession, DispatchTask {
  readonly wire: Wire;
  readonly outbox: Outbox;
  readonly role: 'client' | 'server';
  readonly limits: MuxLimits;
  readonly table: StreamTable;
  readonly #owner: MuxSessionOwner;
  readonly #reader: FrameReader;
  readonly #liveness: Liveness;
  #peer: PeerSettings | null = null;
  #draining = false;
  #ended = false;
  #error: Error | null = null;
  #endedSinceMs: number | null = null;
  #roomNoted = false;

  constructor(wire: Wire, options: MuxSessionOptions) {
    const { role, owner, monotonicMs, limits = defaultLimits } = options;
    this.wire = wire;
    this.role = role;
    this.limits = limits;
    this.outbox = new Outbox(wire);
    this.#owner = owner;
    this.table = new StreamTable(new WindowLedger(limits), this.outbox);
    this.#liveness = new Liveness(limits, monotonicMs());
    this.#reader = new FrameReader(new Receiver(this, monotonicMs), limits.maxFrameBytes);
    wire.owner = this;
    const settings = writeSettings(limits);
    const at = this.outbox.reserve(settings.length);
    this.outbox.commit(at + settings.copy(this.outbox.output, at));
  }

  get openStreams(): number {
    return this.table.size;
  }

  /** Received and not taken by the streams' owners yet. */
  get bufferedBytes(): number {
    return this.table.ledger.bufferedBytes;
  }

  /** Client: a stream may be opened now. */
  get available(): boolean {
    return !this.#draining && !this.#ended && this.table.size < this.peer.maxStreams;
  }

  get draining(): boolean {
    return this.#draining;
  }

  get closed(): boolean {
    return this.#ended;
  }

  /** Client: a stream for a request; it counts as open once its head is sent. Call only while `available`. */
  open(owner: MuxStreamOwner): MuxStream {
    return new MuxStream(this, owner);
  }

  /**
   * Ends politely. Client: opens no more streams and closes the connection after the last one. Server: asks the client to
   * do so; streams that are on their way are still served.
   */
  drain(): void {
    if (this.#draining || this.#ended) return;
    this.#draining = true;
    if (this.role === 'server') sendGoAway(this.outbox, { last: lastStreamNumber, code: 'none', reason: '' });
    else this.#endWhenIdle();
  }

  /** Ends at once. The client may repeat elsewhere what the server has not accepted; the rest is lost. */
  close(code: MuxErrorCode = 'none', reason = ''): void {
    this.#fail(new MuxError(code, reason));
  }

  /** Call about once a second: liveness, and memory that is not needed. */
  tick(nowMs: number): void {
    if (this.#ended) {
      this.#endedSinceMs ??= nowMs;
      if (nowMs - this.#endedSinceMs >= lingerMs) this.wire.destroy();
      return;
    }
    const state = this.#liveness.check(nowMs, this.#peer !== null);
    if (state === 'well') this.outbox.shrink();
    else if (state === 'ping') this.outbox.numbers(frameType.ping, 0, 0, this.table.last);
    else this.#fail(new MuxError('timeout', state.lost));
  }

  // --- wire --------------------------------------------------------------------------------------------------------

  onBytes(bytes: Buffer, start: number, end: number): void {
    if (this.#ended) return;
    this.#liveness.hear();
    try {
      this.#reader.read(bytes, start, end);
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  onEnd(): void {
    if (this.#ended) return;
    if (this.table.size > 0 || !this.#reader.atBoundary || (this.role === 'client' && !this.#draining)) {
      this.#fail(new MuxError('lost', 'the peer closed the connection'));
      return;
    }
    this.#ended = true;
    this.wire.end();
    this.#end();
  }

  onDrain(): void {
    this.outbox.drained();
  }

  onClose(error: Error | null): void {
    if (error !== null || this.table.size > 0) {
      this.#error ??= new MuxError('lost', error?.message ?? 'the connection was closed');
    }
    this.#end();
    process.nextTick(() => this.#owner.onClose(this.#error));
  }

  // --- what the peer asks for --------------------------------------------------------------------------------------

  get receiving(): boolean {
    return !this.#ended;
  }

  get greeted(): boolean {
    return this.#peer !== null;
  }

  greet(settings: PeerSettings): void {
    this.#peer = settings;
    const more = settings.initialWindowBytes - leastSettings.initialWindowBytes;
    if (more > 0) for (const stream of this.table.list()) stream.widen(more);
    this.#owner.onReady();
  }

  accept(id: number, info: HeadInfo): MuxStream {
    const stream = new MuxStream(this, noOwner);
    this.table.add(stream, id);
    stream.owner = this.#owner.onStream(stream, info);
    return stream;
  }

  leave({ last, code, reason }: GoAway): void {
    const wasDraining = this.#draining;
    this.#draining = true;
    if (this.role === 'client') {
      const repeatable = this.table.list().filter((stream) => stream.id > last);
      for (const stream of repeatable) stream.close();
      for (const stream of repeatable)
        stream.owner.onReset('refused', 'the peer did not accept the stream any more', 'session');
    }
    if (code !== 'none') this.#error ??= new MuxError(code, `the peer ended the session: ${reason || code}`);
    if (!wasDraining) this.#owner.onDraining();
    this.#endWhenIdle();
  }

  // --- flow control and limits -------------------------------------------------------------------------------------

  get peer(): PeerSettings {
    return this.#peer ?? leastSettings;
  }

  admit(stream: MuxStream): boolean {
    if (!this.available || this.table.last >= lastStreamNumber) return false;
    this.table.add(stream, this.table.last + 1);
    stream.sendWindow = this.peer.initialWindowBytes;
    return true;
  }

  forget(stream: MuxStream): void {
    if (!this.table.remove(stream)) return;
    if (this.#draining && this.table.size === 0) this.#endWhenIdle();
    if (this.#roomNoted) return;
    this.#roomNoted = true;
    if (!afterDispatch(this)) queueMicrotask(() => this.afterDispatch());
  }

  credit(stream: MuxStream, bytes: number): void {
    const more = stream.closed ? 0 : this.table.ledger.take(stream, bytes);
    if (more > 0) this.outbox.numbers(frameType.window, stream.id, more);
  }

  checkQueue(): void {
    if (this.#ended || this.outbox.queuedBytes <= this.limits.maxQueuedBytes) return;
    this.#error ??= new MuxError('overload', `more than ${this.limits.maxQueuedBytes} bytes wait for the peer`);
    // Not here: this is inside a call of a stream's owner.
    this.wire.destroy();
  }

  // --- endings -----------------------------------------------------------------------------------------------------

  #endWhenIdle(): void {
    if (this.role !== 'client' || !this.#draining || this.table.size > 0 || this.#ended) return;
    this.outbox.flush();
    this.wire.end();
  }

  /** Says why and ends the connection; `tick` destroys it when the peer does not close. */
  #fail(error: Error): void {
    if (this.#ended) return;
    const code = error instanceof MuxError ? error.code : 'internal';
    const reason = error instanceof MuxError ? error.message : '';
    sendGoAway(this.outbox, { last: this.table.last, code, reason });
    this.outbox.flush();
    if (code !== 'none') this.#error ??= error;
    this.wire.end();
    this.#end();
  }

  /** Not while a stream's owner is on the stack. */
  afterDispatch(): void {
    this.#roomNoted = false;
    this.#owner.onRoom();
  }

  /** Frees the streams at once and tells their owners after the current callback. */
  #end(): void {
    this.#ended = true;
    const streams = this.table.list();
    for (const stream of streams) stream.close();
    this.outbox.close();
    if (streams.length === 0) return;
    const error = this.#error;
    const code = error instanceof MuxError && error.code === 'timeout' ? 'timeout' : 'lost';
    process.nextTick(() => {
      for (const stream of streams) stream.owner.onReset(code, error?.message ?? 'the session ended', 'session');
    });
  }
}

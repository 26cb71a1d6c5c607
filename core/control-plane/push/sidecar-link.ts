/**
 * Keeps a connection to one sidecar for as long as the sidecar lives: dials, hands every new connection to `onConnected`
 * (certificate, redirect after a restart), then pushes the newest configuration; dials again with back-off when it is
 * lost. `ackedRevision` is what the sidecar has in force.
 */
import type { Duplex } from 'node:stream';
import { MeshError } from '../../contract/errors.ts';
import type { SidecarConfig } from '../../model/sidecar-config.ts';
import type { Clock } from '../../shared/clock.ts';
import type { Logger } from '../../shared/logger.ts';
import type { Random } from '../../shared/random.ts';
import { type ConnectionEvents, SidecarConnection } from './sidecar-connection.ts';

export interface LinkEvents extends Pick<ConnectionEvents, 'onTelemetry' | 'onDrainProgress'> {
  /** A connection stands; pushes follow once this resolves. `restarted`: another process answers than the time before. */
  onConnected(connection: SidecarConnection, restarted: boolean): Promise<void>;
  /** The connection is lost or could not be made or set up; it is tried again. */
  onDisconnected(reason: string): void;
  onAck(revision: number): void;
  onNack(reason: { code: string; message: string; revision: number | null }): void;
}

export interface LinkOptions {
  readonly name: string;
  readonly connect: () => Promise<Duplex>;
  readonly events: LinkEvents;
  readonly leaseMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly answerTimeoutMs?: number;
}

const firstRetryMs = 100;
const lastRetryMs = 5_000;

export class SidecarLink {
  readonly #options: LinkOptions;
  readonly #ackWaiters = new Set<() => void>();
  #connection: SidecarConnection | null = null;
  #config: SidecarConfig | null = null;
  #ackedRevision: number | null = null;
  #refusedRevision = -1;
  #pid: number | null = null;
  #failures = 0;
  #retryTimer: NodeJS.Timeout | null = null;
  #closed = false;
  #dialing: Promise<void> | null = null;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  /** The connection, once it is set up; `null` while there is none. */
  get connection(): SidecarConnection | null {
    return this.#connection;
  }

  get ackedRevision(): number | null {
    return this.#ackedRevision;
  }

  /** Newest configuration that was handed over, whether or not it has arrived. */
  get wanted(): SidecarConfig | null {
    return this.#config;
  }

  /** Dials once and rejects when that fails (SIDECAR_UNREACHABLE and what `onConnected` throws); no retry yet. */
  async open(): Promise<void> {
    await this.#dial();
  }

  /** Goes on trying in the background: for a sidecar that was up before. Resolves after the first attempt. */
  async keep(): Promise<void> {
    await this.#dial().catch((error: unknown) => this.#lost(error instanceof Error ? error.message : String(error)));
  }

  push(config: SidecarConfig): void {
    this.#config = config;
    this.#connection?.push(config);
  }

  /** Sends the same configuration again, so that its ACK says that everything sent before has been taken in. */
  pushAgain(): void {
    if (this.#config === null) return;
    this.#ackedRevision = null;
    this.#refusedRevision = -1;
    this.#connection?.push(this.#config);
  }

  /** Resolves true once this revision or a later one is acknowledged, false when it is refused, late, or the link closes. */
  waitForAck(revision: number, timeoutMs: number): Promise<boolean> {
    const isAcked = () => this.#ackedRevision !== null && this.#ackedRevision >= revision;
    return new Promise((resolve) => {
      const finish = (result: boolean) => {
        clearTimeout(timer);
        this.#ackWaiters.delete(look);
        resolve(result);
      };
      const look = () => {
        if (isAcked() || this.#closed || this.#refusedRevision >= revision) finish(isAcked());
      };
      const timer = setTimeout(() => finish(false), timeoutMs);
      this.#ackWaiters.add(look);
      look();
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#retryTimer !== null) clearTimeout(this.#retryTimer);
    this.#connection?.close();
    this.#connection = null;
    this.#wake();
  }

  #dial(): Promise<void> {
    this.#dialing ??= this.#connect().finally(() => {
      this.#dialing = null;
    });
    return this.#dialing;
  }

  async #connect(): Promise<void> {
    if (this.#closed) throw new MeshError('SIDECAR_UNREACHABLE', 'The sidecar is being removed.');
    const stream = await this.#options.connect();
    let opened: SidecarConnection | null = null;
    const connection = await SidecarConnection.open(
      stream,
      this.#connectionEvents(() => opened),
      this.#options,
    );
    opened = connection;
    try {
      const { pid, revision } = connection.hello;
      const restarted = this.#pid !== null && this.#pid !== pid;
      // At the first connection the revision may be one of an earlier control plane: it says nothing.
      this.#ackedRevision = this.#pid === pid ? revision : null;
      this.#pid = pid;
      await this.#options.events.onConnected(connection, restarted);
      if (this.#closed || connection.isClosed) {
        throw new MeshError('SIDECAR_UNREACHABLE', 'The connection to the sidecar was lost while it was set up.');
      }
    } catch (error) {
      connection.close();
      throw error;
    }
    this.#connection = connection;
    this.#failures = 0;
    if (this.#config !== null) connection.push(this.#config);
  }

  #connectionEvents(current: () => SidecarConnection | null): ConnectionEvents {
    const { events, log, name } = this.#options;
    return {
      onAck: (revision) => {
        this.#ackedRevision = revision;
        this.#wake();
        events.onAck(revision);
      },
      onNack: ({ code, message, revision }) => {
        this.#refusedRevision = revision ?? this.#config?.revision ?? -1;
        events.onNack({ code, message, revision });
        this.#wake();
      },
      onTelemetry: (report) => events.onTelemetry(report),
      onDrainProgress: (counts) => events.onDrainProgress(counts),
      onLog: (level, message) => log[level](`sidecar of ${name}: ${message}`),
      onClose: (reason) => {
        // Before it is in use, the failed set-up itself says so.
        if (this.#connection === null || this.#connection !== current()) return;
        this.#connection = null;
        this.#lost(reason);
      },
    };
  }

  #lost(reason: string): void {
    if (this.#closed) return;
    const delayMs = Math.min(lastRetryMs, firstRetryMs * 2 ** this.#failures) * (0.75 + this.#options.random() / 2);
    this.#failures += 1;
    this.#options.events.onDisconnected(reason);
    if (this.#retryTimer !== null) clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => void this.keep(), delayMs);
    this.#retryTimer.unref();
  }

  #wake(): void {
    for (const look of [...this.#ackWaiters]) look();
  }
}

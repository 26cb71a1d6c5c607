import type { Clock } from '../../shared/clock.ts';
import { type TelemetrySink, type UpstreamConnector, UpstreamError } from '../connection.ts';
import type { HttpEndpoint } from './compiled-service.ts';
import { UpstreamConnection } from './upstream-connection.ts';

/** Node's servers close idle connections after 5 s and say so only in some versions. */
const defaultReuseMs = 4_000;
/** Between sidecars nobody closes early. */
const meshReuseMs = 60_000;
const maxReuseMs = 60_000;
/** A connection that the server will close soon is not worth keeping. */
const keepAliveMarginMs = 1_000;
const maxIdlePerKey = 100;
const sweepEveryMs = 1_000;

export interface UpstreamPoolOptions {
  readonly connector: UpstreamConnector;
  readonly telemetry: TelemetrySink;
  readonly clock: Clock;
}

/**
 * Idle connections per endpoint, the one used last first, so that the rest grow old and go. Connections of an older
 * generation (certificate, trust) end instead of being used again. `close()` ends all of them, used ones too.
 */
export class UpstreamPool {
  readonly #options: UpstreamPoolOptions;
  readonly #idle = new Map<string, UpstreamConnection[]>();
  readonly #open = new Set<UpstreamConnection>();
  #sweeper: NodeJS.Timeout | null = null;

  constructor(options: UpstreamPoolOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#open.size;
  }

  /** An idle connection that may be used, or `null`. */
  take(endpoint: HttpEndpoint): UpstreamConnection | null {
    const idle = this.#idle.get(endpoint.key);
    if (idle === undefined) return null;
    const nowMs = this.#options.clock.monotonicMs();
    for (;;) {
      const connection = idle.pop();
      if (connection === undefined) return null;
      if (this.#isFresh(connection, nowMs)) {
        connection.reused = true;
        return connection;
      }
      connection.destroy();
    }
  }

  /** A new connection; rejects with the connector's `UpstreamError`. */
  async connect(endpoint: HttpEndpoint, signal: AbortSignal): Promise<UpstreamConnection> {
    const { connector, telemetry } = this.#options;
    const generation = connector.generation;
    const socket = await connector.connect(endpoint.target, signal);
    if (socket.destroyed) throw new UpstreamError({ kind: 'reset', message: 'the connection was closed at once' });
    // Inbound edges count the connections of their clients, not ours to the application.
    const recorder = endpoint.edge.direction === 'outbound' ? telemetry.edge(endpoint.edge) : null;
    const connection = new UpstreamConnection(socket, endpoint.key, generation, recorder, (closed) => {
      this.#forget(closed);
    });
    this.#open.add(connection);
    return connection;
  }

  /** Takes a connection back after a complete exchange. `keepAliveSeconds`: what the server promised, -1 nothing. */
  release(connection: UpstreamConnection, keepAliveSeconds: number, mesh: boolean): void {
    connection.user = null;
    const nowMs = this.#options.clock.monotonicMs();
    const promisedMs = keepAliveSeconds * 1_000 - keepAliveMarginMs;
    const reuseMs = keepAliveSeconds < 0 ? (mesh ? meshReuseMs : defaultReuseMs) : Math.min(promisedMs, maxReuseMs);
    connection.reusableUntilMs = nowMs + reuseMs;
    const idle = this.#idle.get(connection.key) ?? [];
    if (!this.#isFresh(connection, nowMs) || idle.length >= maxIdlePerKey) {
      connection.destroy();
      return;
    }
    if (connection.socket.isPaused()) connection.socket.resume();
    if (idle.length === 0) this.#idle.set(connection.key, idle);
    idle.push(connection);
    this.#sweeper ??= setInterval(() => this.#sweep(), sweepEveryMs).unref();
  }

  close(): void {
    for (const connection of [...this.#open]) connection.socket.destroy();
    this.#idle.clear();
    this.#stopSweeping();
  }

  #isFresh(connection: UpstreamConnection, nowMs: number): boolean {
    const current = connection.generation === this.#options.connector.generation;
    return current && connection.usable && nowMs < connection.reusableUntilMs;
  }

  #sweep(): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const [key, idle] of this.#idle) {
      const fresh = idle.filter((connection) => this.#isFresh(connection, nowMs));
      for (const connection of idle) if (!fresh.includes(connection)) connection.destroy();
      if (fresh.length === 0) this.#idle.delete(key);
      else this.#idle.set(key, fresh);
    }
    if (this.#idle.size === 0) this.#stopSweeping();
  }

  #stopSweeping(): void {
    if (this.#sweeper !== null) clearInterval(this.#sweeper);
    this.#sweeper = null;
  }

  #forget(connection: UpstreamConnection): void {
    this.#open.delete(connection);
    const idle = this.#idle.get(connection.key);
    const index = idle?.indexOf(connection) ?? -1;
    if (index >= 0) idle?.splice(index, 1);
  }
}

/**
 * HTTP/1.1 in the data plane, on the public `net` API.
 *
 *   codec            bytes -> head spans and body framing; knows nothing of sockets (the seam for a faster transport)
 *   compiled-config  a SidecarConfig as lookups, once per revision
 *   routing          what a request asks for -> service, route, endpoints, or an answer of our own
 *   downstream       one accepted connection: reads requests, one exchange at a time, in order
 *   exchange         one request: faults, endpoint, upstream connection, relay of both directions, telemetry
 *   upstream pool    idle connections per endpoint, last used first
 *
 * It must not decide who may connect (the listener has), open sockets by itself (the connector does) or write logs.
 */
import type { Clock } from '../../shared/clock.ts';
import type { Random } from '../../shared/random.ts';
import type { ConnectionHandler, RequestAdmission, TelemetrySink, UpstreamConnector } from '../connection.ts';
import type { CompiledConfig } from './compiled-config.ts';
import { DownstreamConnection, type DownstreamParts } from './downstream-connection.ts';
import { createHttpCodec } from './head-parser.ts';
import { UpstreamPool } from './upstream-pool.ts';

export interface HttpHandlerOptions {
  /** The configuration in force; asked once per request. */
  readonly config: () => CompiledConfig;
  readonly connector: UpstreamConnector;
  readonly telemetry: TelemetrySink;
  readonly clock: Clock;
  readonly random: Random;
  /** Value of a new `x-request-id`, a UUID. */
  readonly newId: () => string;
  /** False once the control plane's lease has lapsed: no fault is applied any more. */
  readonly faultsAllowed: () => boolean;
  /** Absent: every request is let in. */
  readonly admission?: RequestAdmission;
  /** While draining, a connection without a request for this long is closed. Default 3000. */
  readonly drainGraceMs?: number;
  /** After our FIN, how long we go on reading so that the client sees the end and no reset. Default 1000. */
  readonly lingerMs?: number;
}

export type HttpHandler = ConnectionHandler;

const drainCheckMs = 250;

/** `closeAll()` also ends the pool of upstream connections; the handler may go on serving afterwards. */
export function createHttpHandler(options: HttpHandlerOptions): HttpHandler {
  const { clock, telemetry, connector, random, config, newId, faultsAllowed } = options;
  const { drainGraceMs = 3_000, lingerMs = 1_000 } = options;
  const pool = new UpstreamPool({ connector, telemetry, clock });
  const connections = new Set<DownstreamConnection>();
  let drainSinceMs: number | null = null;
  let drainTimer: NodeJS.Timeout | null = null;
  const parts: DownstreamParts = {
    pool,
    connector,
    codec: createHttpCodec(),
    telemetry,
    clock,
    random,
    config,
    newId,
    faultsAllowed,
    lingerMs,
    admission: options.admission,
    activeRequests: new Map(),
    isDraining: () => drainSinceMs !== null,
  };
  const endIdleConnections = () => {
    if (drainSinceMs === null) return;
    const nowMs = clock.monotonicMs();
    for (const connection of connections) connection.endIfIdle(nowMs, drainGraceMs, drainSinceMs);
  };
  const stopDraining = () => {
    if (drainTimer !== null) clearInterval(drainTimer);
    drainTimer = null;
    drainSinceMs = null;
  };
  return {
    get active() {
      return connections.size;
    },
    serve(socket, head, context) {
      const connection = new DownstreamConnection(socket, context, parts, () => connections.delete(connection));
      connections.add(connection);
      connection.begin(head);
    },
    drain() {
      if (drainSinceMs !== null) return;
      drainSinceMs = clock.monotonicMs();
      drainTimer = setInterval(endIdleConnections, Math.min(drainCheckMs, Math.max(10, drainGraceMs / 4))).unref();
    },
    undrain: stopDraining,
    closeAll() {
      stopDraining();
      for (const connection of [...connections]) connection.socket.destroy();
      pool.close();
    },
  };
}

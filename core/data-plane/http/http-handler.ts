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
import type { Socket } from 'node:net';
import type { Clock } from '../../shared/clock.ts';
import type { Random } from '../../shared/random.ts';
import type { ConnectionHandler, DownstreamContext, TelemetrySink, UpstreamConnector } from '../connection.ts';
import type { CompiledConfig } from './compiled-config.ts';

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
  /** While draining, a connection without a request for this long is closed. Default 3000. */
  readonly drainGraceMs?: number;
  /** After our FIN, how long we go on reading so that the client sees the end and no reset. Default 1000. */
  readonly lingerMs?: number;
}

export interface HttpHandler extends ConnectionHandler {
  serve(socket: Socket, head: Buffer, context: DownstreamContext): void;
}


import type { ConnectionHandler } from './connection.ts';
import { AttachedCallers } from './http/attached-callers.ts';
import { countsCaller, inboundEdge, portOf } from './http/edges.ts';
import { createHttpHandler, type HttpHandler, type HttpHandlerOptions } from './http/http-handler.ts';
import { Http2Handler } from './http2/http2-handler.ts';
import { createHttp2Carrier } from './http2/upstream-carrier.ts';
import type { Logger } from './logger.ts';
import { MuxHandler } from './mux/mux-handler.ts';
import { muxCarrier } from './mux/upstream-carrier.ts';

/** Everything that serves requests, by what carries them. They share routes, connections to servers and telemetry. */
export interface RequestHandlers extends Omit<ConnectionHandler, 'serve'> {
  readonly http: ConnectionHandler;
  readonly http2: ConnectionHandler;
  readonly mux: MuxHandler;
  /** See `HttpHandler`. */
  readonly clusters: HttpHandler['clusters'];
  /** A configuration has come into force. */
  configured(): void;
}

/** `carriers` of the options come from here. */
export function createRequestHandlers(
  options: Omit<HttpHandlerOptions, 'carriers'>,
  logger: Pick<Logger, 'warn'>,
): RequestHandlers {
  const { clock, config, telemetry } = options;
  const callers = new AttachedCallers();
  const http = createHttpHandler({ ...options, carriers: [muxCarrier, createHttp2Carrier()] });
  const http2 = new Http2Handler({
    server: http.requests,
    monotonicMs: () => clock.monotonicMs(),
    recorderOf: (context, protocol) =>
      countsCaller(context) ? telemetry.edge(inboundEdge(context, portOf(context), protocol)) : null,
  });
  const mux = new MuxHandler({
    server: http.requests,
    monotonicMs: () => clock.monotonicMs(),
    recorderOf: (context) => telemetry.edge(inboundEdge(context, portOf(context))),
    warn: (message) => logger.warn(message),
  });
  // What feeds the exchanges ends before the connections that they use.
  const handlers: readonly ConnectionHandler[] = [mux, http2, http];
  return {
    http,
    http2,
    mux,
    clusters: http.clusters,
    configured() {
      http.configured();
      const joined = callers.joined(config().source);
      if (joined.size === 0) return;
      http.leavePast(joined);
      http2.leavePast(joined);
    },
    get active() {
      return handlers.reduce((sum, { active }) => sum + active, 0);
    },
    drain() {
      for (const handler of handlers) handler.drain();
    },
    undrain() {
      for (const handler of handlers) handler.undrain();
    },
    closeAll() {
      for (const handler of handlers) handler.closeAll();
    },
  };
}

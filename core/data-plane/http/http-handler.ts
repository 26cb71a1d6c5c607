/**
 * HTTP in the data plane.
 *
 *   codec            bytes -> head spans and body framing; knows nothing of connections
 *   compiled-config  a SidecarConfig as lookups, once per revision
 *   routing          what a request asks for -> service, route, endpoints, or an answer of our own
 *   streams          the seam between a request and who carries it; how to plug in another carrier
 *   downstream       one accepted HTTP/1.1 connection: reads requests, one exchange at a time, in order
 *   exchange         one request: faults, attempts, relay of both directions, telemetry
 *   attempt          one try of it at one endpoint
 *   upstreams        open connections per endpoint, last used first
 *
 * It must not decide who may connect (the listener has), open sockets by itself (the connector does) or write logs.
 */
import { meshAlpn } from '../../model/identity.ts';
import type { SeenProtocol } from '../../model/protocol.ts';
import type { Clock } from '../../shared/clock.ts';
import type { Random } from '../../shared/random.ts';
import type { ConnectionHandler, RequestAdmission, TelemetrySink, UpstreamConnector } from '../connection.ts';
import type { ToxicDesk } from '../toxics/toxic-desk.ts';
import { ClusterSet } from '../upstream/cluster-set.ts';
import { createDispatchClock } from '../wire/dispatch-clock.ts';
import { headLimits } from './codec.ts';
import type { CompiledConfig } from './compiled-config.ts';
import type { HttpEndpoint } from './compiled-service.ts';
import { DownstreamConnection } from './downstream-connection.ts';
import type { DownstreamParts } from './downstream-parts.ts';
import { DownstreamSet } from './downstream-set.ts';
import { inboundEdge, portOf } from './edges.ts';
import { Exchange } from './exchange.ts';
import type { ExchangeParts } from './exchange-parts.ts';
import { createHttpCodec } from './head-parser.ts';
import type { ClientStream, RequestServer, UpstreamCarrier } from './streams.ts';
import { TimerWheel } from './timer-wheel.ts';
import { createHttp1Carrier } from './upstream-connection.ts';
import { Upstreams } from './upstreams.ts';

export interface HttpHandlerOptions {
  /** The configuration in force; asked once per request. */
  readonly config: () => CompiledConfig;
  readonly connector: UpstreamConnector;
  readonly telemetry: TelemetrySink;
  readonly clock: Clock;
  readonly random: Random;
  /** False once the control plane's lease has lapsed: no fault is applied any more. */
  readonly faultsAllowed: () => boolean;
  /** Absent: every request is let in. */
  readonly admission?: RequestAdmission;
  /** Protocols towards servers, preferred to HTTP/1.1 where both sides know them. */
  readonly carriers?: readonly UpstreamCarrier[];
  /** Faults of connections; absent: none. */
  readonly toxics?: ToxicDesk;
  /** While draining, a connection without a request for this long is closed. Default 3000. */
  readonly drainGraceMs?: number;
  /** After our FIN, how long we go on reading so that the client sees the end and no reset. Default 1000. */
  readonly lingerMs?: number;
}

export interface HttpHandler extends ConnectionHandler {
  /** Takes the requests of other carriers. */
  readonly requests: RequestServer;
  /** What is known of endpoints under a traffic policy. */
  readonly clusters: ClusterSet<HttpEndpoint>;
  /** A configuration has come into force. */
  configured(): void;
  /** Ends what these callers have open past their sidecars with the next answer. */
  leavePast(callers: ReadonlySet<string>): void;
}

/** `closeAll()` also ends the connections to servers; the handler may go on serving afterwards. */
export function createHttpHandler(options: HttpHandlerOptions): HttpHandler {
  const { telemetry, connector, random, config, faultsAllowed, admission } = options;
  const { drainGraceMs = 3_000, lingerMs = 1_000, carriers = [] } = options;
  const clock = createDispatchClock(options.clock);
  const monotonicMs = () => clock.monotonicMs();
  const codec = createHttpCodec();
  const upstreams: Upstreams = new Upstreams({
    connector,
    ...(options.toxics === undefined ? {} : { toxics: options.toxics }),
    telemetry,
    monotonicMs,
    carriers: [...carriers, createHttp1Carrier(codec, meshAlpn.http)],
    onOpened: () => connections.wake(),
  });
  const timers = new TimerWheel(monotonicMs);
  const clusters = new ClusterSet<HttpEndpoint>(random);
  const exchangeParts: ExchangeParts = {
    config,
    upstreams,
    clusters,
    codec: createHttpCodec(headLimits.edited),
    telemetry,
    clock,
    random,
    timers,
    faultsAllowed,
    admission,
  };
  const requests: RequestServer = {
    accept(client, context, finished) {
      const port = portOf(context);
      const inbound = (protocol: SeenProtocol) => telemetry.edge(inboundEdge(context, port, protocol));
      const recorder = context.direction === 'inbound' ? inbound : null;
      const front = context.gateway === undefined ? null : inbound;
      return new Exchange(exchangeParts, { client, context, recorder, front, finished });
    },
  };
  const connections: DownstreamSet = new DownstreamSet(upstreams, monotonicMs, drainGraceMs);
  const isLeaving = (connection: ClientStream) => connections.isLeaving(connection);
  const parts: DownstreamParts = { codec, clock, telemetry, connector, config, requests, lingerMs, isLeaving };
  return {
    requests,
    clusters,
    configured: () => upstreams.retain(config().source.services),
    get active() {
      return connections.size;
    },
    serve(socket, head, context) {
      const connection = new DownstreamConnection(socket, context, parts, () => connections.delete(connection));
      connections.add(connection);
      connection.begin(head);
    },
    leavePast: (callers) => connections.leavePast(callers),
    drain: () => connections.drain(),
    undrain: () => connections.undrain(),
    closeAll() {
      timers.close();
      connections.closeAll();
      upstreams.close();
    },
  };
}

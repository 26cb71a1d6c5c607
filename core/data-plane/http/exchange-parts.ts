import type { SeenProtocol } from '../../model/protocol.ts';
import type { Clock } from '../../shared/clock.ts';
import type { Random } from '../../shared/random.ts';
import type { DownstreamContext, EdgeRecorder, RequestAdmission, TelemetrySink } from '../connection.ts';
import type { ClusterSet } from '../upstream/cluster-set.ts';
import type { HttpCodec } from './codec.ts';
import type { CompiledConfig } from './compiled-config.ts';
import type { HttpEndpoint } from './compiled-service.ts';
import type { ClientStream } from './streams.ts';
import type { TimerWheel } from './timer-wheel.ts';
import type { Upstreams } from './upstreams.ts';

/** What every exchange of a handler shares. */
export interface ExchangeParts {
  readonly config: () => CompiledConfig;
  readonly upstreams: Upstreams;
  readonly clusters: ClusterSet<HttpEndpoint>;
  /** For heads that a route's header operations have changed; nobody else may use it. */
  readonly codec: HttpCodec;
  readonly telemetry: TelemetrySink;
  readonly clock: Clock;
  readonly random: Random;
  readonly timers: TimerWheel;
  readonly faultsAllowed: () => boolean;
  /** Absent: there is always room. */
  readonly admission?: RequestAdmission | undefined;
}

export interface ExchangeOptions {
  readonly client: ClientStream;
  readonly context: DownstreamContext;
  /** Recorder of the client's requests on inbound edges; `null`: the edge of the endpoint counts. */
  readonly recorder: ((protocol: SeenProtocol) => EdgeRecorder) | null;
  /** At a gateway: recorder of its clients' requests, besides the endpoint's edge. */
  readonly front?: ((protocol: SeenProtocol) => EdgeRecorder) | null;
  /** The exchange is over and can take the next request. `complete`: the whole answer was sent, the request read to its end. */
  readonly finished: (complete: boolean) => void;
}

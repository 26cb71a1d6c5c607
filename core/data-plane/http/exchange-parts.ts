/** What an exchange is given: by the handler, by the request, by the client's connection. */
import type { Socket } from 'node:net';
import type { Clock } from '../../shared/clock.ts';
import type { Random } from '../../shared/random.ts';
import type { EdgeRecorder, RequestAdmission, TelemetrySink } from '../connection.ts';
import type { HttpCodec } from './codec.ts';
import type { AnsweredRequest } from './response-relay.ts';
import type { UpstreamPool } from './upstream-pool.ts';

/** What every exchange of a handler shares. */
export interface ExchangeParts {
  readonly pool: UpstreamPool;
  readonly codec: HttpCodec;
  readonly telemetry: TelemetrySink;
  readonly clock: Clock;
  readonly random: Random;
  readonly faultsAllowed: () => boolean;
  /** Absent: there is always room. */
  readonly admission?: RequestAdmission | undefined;
  /** Requests under way per endpoint key, for least-request balancing. */
  readonly activeRequests: Map<string, number>;
}

/** A request, ready to be sent. */
export interface OutgoingRequest extends AnsweredRequest {
  readonly method: string;
  readonly target: string;
  /** Edited head. */
  readonly head: Buffer;
  readonly keepAlive: boolean;
  /** An answer of our own can wait for the body: it is short and the client sends it unasked. */
  readonly smallBody: boolean;
  readonly startedAtMs: number;
  /** Recorder of the client's connection on inbound edges; `null`: the upstream connection's counts. */
  readonly recorder: EdgeRecorder | null;
  /** False when the caller's sidecar tells this request already. */
  readonly sampled: boolean;
}

/** The client's side of the connection, as an exchange sees it. */
export interface ExchangeClient {
  readonly socket: Socket;
  /** False while draining or when the client has sent its FIN and nothing else. */
  mayLiveOn(): boolean;
  setReading(reading: boolean): void;
  exchangeFinished(keepAlive: boolean): void;
  upgraded(upstream: Socket, rest: Buffer, recorder: EdgeRecorder | null): void;
}

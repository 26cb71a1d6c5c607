import type { SeenProtocol } from '../../model/protocol.ts';
import type { EdgeKey } from '../../model/telemetry-report.ts';
import type { EdgeRecorder, TelemetrySink } from '../connection.ts';
import type { EndpointState } from './endpoint-state.ts';
import type { RequestReader } from './parsed-request.ts';
import type { Routing } from './routing.ts';

/** What is known about a request for the record; told to telemetry when it ends. Reused from request to request. */
export class ExchangeRecord {
  readonly #telemetry: TelemetrySink;
  /** The client's connection counts (inbound), by what it asks for; `null`: the edge of the endpoint. */
  readonly #clientRecorder: ((protocol: SeenProtocol) => EdgeRecorder) | null;
  #client: EdgeRecorder | null = null;
  #protocol: SeenProtocol | null = null;
  /** False when the caller's sidecar tells this request already. */
  readonly #sampled: boolean;
  #recorder: EdgeRecorder | null = null;
  #flags = '';
  #edge: EdgeKey | null = null;
  #arrivedAtMs = 0;

  constructor(
    telemetry: TelemetrySink,
    clientRecorder: ((protocol: SeenProtocol) => EdgeRecorder) | null,
    sampled: boolean,
  ) {
    this.#telemetry = telemetry;
    this.#clientRecorder = clientRecorder;
    this.#sampled = sampled;
  }

  begin(arrivedAtMs: number, protocol: SeenProtocol): void {
    this.#arrivedAtMs = arrivedAtMs;
    if (protocol !== this.#protocol) {
      this.#protocol = protocol;
      this.#client = this.#clientRecorder?.(protocol) ?? null;
    }
    this.#recorder = this.#client;
    this.#flags = '';
    this.#edge = null;
  }

  /** Envoy's response flags, in the order in which they came up. */
  flag(flag: string): void {
    this.#flags = this.#flags === '' ? flag : `${this.#flags},${flag}`;
  }

  /** The endpoint that was chosen last. */
  choose(state: EndpointState): void {
    this.#edge = state.endpoint.edge;
    this.#recorder = this.#client ?? state.recorderOf(this.#protocol ?? 'http/1.1', this.#telemetry);
  }

  bytes(sent: number, received: number): void {
    this.#recorder?.bytes(sent, received);
  }

  /** `status` 0: no answer reached the client. */
  close(status: number, nowMs: number, routing: Routing, request: RequestReader): void {
    const durationMs = nowMs - this.#arrivedAtMs;
    const flags = this.#flags;
    const edge = this.#edge ?? routing.edge;
    const protocol = this.#protocol ?? 'http/1.1';
    (this.#recorder ?? this.#telemetry.edge({ ...edge, protocol })).request(status, flags, durationMs * 1_000);
    if (!this.#sampled || !this.#telemetry.wantsSample(status, flags)) return;
    const { service, route } = routing;
    const { peerWorkload: workload, mtls } = edge;
    const { method, target: path } = request;
    this.#telemetry.sample({ service, workload, route, method, path, status, flags, durationMs, mtls });
  }
}

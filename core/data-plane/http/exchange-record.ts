import type { SeenProtocol } from '../../model/protocol.ts';
import type { EdgeKey } from '../../model/telemetry-report.ts';
import type { EdgeRecorder, TelemetrySink } from '../connection.ts';
import type { EndpointState } from './endpoint-state.ts';
import type { RequestReader } from './parsed-request.ts';
import type { Routing } from './route-plan.ts';

/** What is known about a request for the record; told to telemetry when it ends. Reused from request to request. */
export class ExchangeRecord {
  readonly #telemetry: TelemetrySink;
  /** The client's connection counts (inbound), by what it asks for; `null`: the edge of the endpoint. */
  readonly #clientRecorder: ((protocol: SeenProtocol) => EdgeRecorder) | null;
  #client: EdgeRecorder | null = null;
  /** A gateway's clients have an edge of their own, besides the endpoint's. */
  readonly #frontRecorder: ((protocol: SeenProtocol) => EdgeRecorder) | null;
  #front: EdgeRecorder | null = null;
  #protocol: SeenProtocol | null = null;
  /** False when the caller's sidecar tells this request already. */
  readonly #sampled: boolean;
  #recorder: EdgeRecorder | null = null;
  #flags = '';
  #edge: EdgeKey | null = null;
  #attempts = 0;
  #arrivedAtMs = 0;

  constructor(
    telemetry: TelemetrySink,
    clientRecorder: ((protocol: SeenProtocol) => EdgeRecorder) | null,
    sampled: boolean,
    frontRecorder: ((protocol: SeenProtocol) => EdgeRecorder) | null = null,
  ) {
    this.#frontRecorder = frontRecorder;
    this.#telemetry = telemetry;
    this.#clientRecorder = clientRecorder;
    this.#sampled = sampled;
  }

  begin(arrivedAtMs: number, protocol: SeenProtocol): void {
    this.#arrivedAtMs = arrivedAtMs;
    if (protocol !== this.#protocol) {
      this.#protocol = protocol;
      this.#client = this.#clientRecorder?.(protocol) ?? null;
      this.#front = this.#frontRecorder?.(protocol) ?? null;
    }
    this.#recorder = this.#client;
    this.#flags = '';
    this.#edge = null;
    this.#attempts = 0;
  }

  /** Envoy's response flags, in the order in which they came up. */
  flag(flag: string): void {
    this.#flags = this.#flags === '' ? flag : `${this.#flags},${flag}`;
  }

  /** The endpoint that was chosen last. */
  choose(state: EndpointState): void {
    this.#edge = state.endpoint.edge;
    this.#attempts += 1;
    this.#recorder = this.#client ?? state.recorderOf(this.#protocol ?? 'http/1.1', this.#telemetry);
  }

  bytes(sent: number, received: number): void {
    this.#recorder?.bytes(sent, received);
    this.#front?.bytes(sent, received);
  }

  /** `status` 0: no answer reached the client. */
  close(status: number, nowMs: number, routing: Routing, request: RequestReader): void {
    const durationMs = nowMs - this.#arrivedAtMs;
    const flags = this.#flags;
    const edge = this.#edge ?? routing.edge;
    const protocol = this.#protocol ?? 'http/1.1';
    // What a gateway answers by itself, for nobody in particular, is on its client's edge only.
    const isLocal = this.#front !== null && this.#recorder === null && edge.peerService === null;
    const recorder = isLocal ? null : (this.#recorder ?? this.#telemetry.edge({ ...edge, protocol }));
    recorder?.request(status, flags, durationMs * 1_000);
    this.#front?.request(status, flags, durationMs * 1_000);
    if (!this.#sampled || !this.#telemetry.wantsSample(status, flags)) return;
    const { route, reads = noNames } = routing;
    // Who calls from outside the mesh is told by the edge.
    const service = edge.direction === 'inbound' ? null : routing.service;
    const { peerWorkload: workload, mtls, port } = edge;
    const { method, target: path, host } = request;
    this.#telemetry.sample({
      service,
      workload,
      route,
      mtls,
      port,
      attempts: this.#attempts,
      method,
      path,
      host,
      headers: toPairs(reads, request),
      status,
      flags,
      durationMs,
    });
  }
}

const noNames: readonly string[] = [];
const maxValueLength = 256;

function toPairs(names: readonly string[], request: RequestReader): [string, string][] {
  const pairs: [string, string][] = [];
  for (const name of names) {
    const value = request.header(name);
    if (value !== undefined) pairs.push([name, value.slice(0, maxValueLength)]);
  }
  return pairs;
}

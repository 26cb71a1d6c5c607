import type { EdgeRecorder } from '../connection.ts';
import type { HttpEndpoint } from './compiled-service.ts';
import type { ExchangeParts, OutgoingRequest } from './exchange-parts.ts';
import type { Routing } from './routing.ts';

/** What is known about an exchange for the record: endpoint, flags, bytes; told to telemetry when it ends. */
export class ExchangeLog {
  readonly #parts: Pick<ExchangeParts, 'telemetry' | 'clock' | 'activeRequests'>;
  readonly #request: OutgoingRequest;
  readonly #routing: Routing;
  readonly #flags: string[] = [];
  /** The one chosen last; it counts as busy until another is chosen or the exchange ends. */
  endpoint: HttpEndpoint | null = null;
  recorder: EdgeRecorder | null;
  clientGone = false;

  constructor(parts: ExchangeParts, request: OutgoingRequest, routing: Routing) {
    this.#parts = parts;
    this.#request = request;
    this.#routing = routing;
    this.recorder = request.recorder;
  }

  /** Envoy's response flags, in the order in which they came up. */
  flag(flag: string): void {
    this.#flags.push(flag);
  }

  choose(endpoint: HttpEndpoint): void {
    this.#countActive(-1);
    this.endpoint = endpoint;
    this.#countActive(1);
  }

  /** Inbound edges count on the client's connection, outbound ones on the upstream connection. */
  attach(upstream: EdgeRecorder | null): void {
    this.recorder = this.#request.recorder ?? upstream;
  }

  bytes(sent: number, received: number): void {
    this.recorder?.bytes(sent, received);
  }

  close(status: number): void {
    this.#countActive(-1);
    const { telemetry, clock } = this.#parts;
    const edge = this.endpoint?.edge ?? this.#routing.edge;
    const durationMs = clock.monotonicMs() - this.#request.startedAtMs;
    const flags = this.#flags.join(',');
    (this.recorder ?? telemetry.edge(edge)).request(status, flags, durationMs * 1_000);
    if (!this.#request.sampled) return;
    telemetry.sample({
      service: this.#routing.service,
      workload: edge.peerWorkload,
      route: this.#routing.kind === 'forward' ? this.#routing.route : null,
      method: this.#request.method,
      path: this.#request.target,
      status,
      flags,
      durationMs,
      mtls: edge.mtls,
    });
  }

  #countActive(change: number): void {
    if (this.endpoint === null) return;
    const { activeRequests } = this.#parts;
    const active = (activeRequests.get(this.endpoint.key) ?? 0) + change;
    if (active > 0) activeRequests.set(this.endpoint.key, active);
    else activeRequests.delete(this.endpoint.key);
  }
}

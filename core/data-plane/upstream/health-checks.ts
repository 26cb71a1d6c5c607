import type { LeftOutEndpoint } from '../../model/telemetry-report.ts';
import type { HealthCheckConfig } from '../../model/traffic-config.ts';
import { afterCheck, type HealthState, unchecked } from '../../policy/health-check.ts';
import type { Random } from '../../shared/random.ts';
import type { HttpEndpoint } from '../http/compiled-service.ts';
import { toMessage } from '../logger.ts';
import type { ClusterSet, NamedCluster } from './cluster-set.ts';

export interface HealthChecksOptions {
  /** What is asked, as configured now; `null`: nothing. */
  readonly settings: () => HealthCheckConfig | null;
  /** Clusters of requests, and of TCP connections: those are only connected to. */
  readonly http: ClusterSet<HttpEndpoint>;
  readonly tcp: ClusterSet<HttpEndpoint>;
  /** Resolves when the endpoint is well; rejects with the reason. `immediate` as in Envoy: it has said so itself. */
  readonly ask: (
    endpoint: HttpEndpoint,
    check: HealthCheckConfig,
    signal: AbortSignal,
  ) => Promise<'passed' | 'immediate'>;
  readonly random: Random;
  readonly monotonicMs: () => number;
  readonly onChange: (message: string) => void;
}

/** Clusters that nobody has used for this long are not asked any more (Envoy asks them less often). */
const idleMs = 10 * 60_000;
const lookEveryMs = 100;

interface Watched {
  state: HealthState;
  nextAtMs: number;
  reason: string;
  /** Set while it is being asked. */
  asking: AbortController | null;
  seen: boolean;
}

/**
 * Asks the endpoints that this sidecar sends to whether they are well, each once whatever number of clusters it is in, and
 * tells the clusters. Off: nothing runs.
 */
export class HealthChecks {
  readonly #options: HealthChecksOptions;
  readonly #watched = new Map<string, Watched>();
  #timer: NodeJS.Timeout | null = null;

  constructor(options: HealthChecksOptions) {
    this.#options = options;
  }

  /** A configuration has come into force. */
  configured(): void {
    if (this.#options.settings() !== null) {
      this.#timer ??= setInterval(() => this.#look(), lookEveryMs).unref();
    } else if (this.#timer !== null) {
      this.#stop();
      for (const { cluster } of this.#all()) cluster.forgetChecks();
    }
  }

  /** Endpoints that get no traffic now. */
  leftOut(): LeftOutEndpoint[] {
    const found: LeftOutEndpoint[] = [];
    for (const { service, subset, port, cluster } of this.#all()) {
      if (cluster.ejected === 0 && this.#watched.size === 0) continue;
      for (const member of cluster.members) {
        const isFailing = cluster.isFailing(member);
        if (!isFailing && !cluster.isEjected(member)) continue;
        const reason = isFailing ? (this.#watched.get(keyOf(member, false))?.reason ?? '') : 'too many failed requests';
        const { id: endpoint, name } = member.endpoint;
        found.push({ service, subset, port, endpoint, name, state: isFailing ? 'unhealthy' : 'ejected', reason });
      }
    }
    return found;
  }

  close(): void {
    this.#stop();
  }

  *#all(): Iterable<NamedCluster<HttpEndpoint>> {
    yield* this.#options.http.all();
    yield* this.#options.tcp.all();
  }

  #stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    for (const { asking } of this.#watched.values()) asking?.abort();
    this.#watched.clear();
  }

  #look(): void {
    const check = this.#options.settings();
    if (check === null) return;
    const nowMs = this.#options.monotonicMs();
    for (const watched of this.#watched.values()) watched.seen = false;
    const connectOnly = { ...check, kind: 'tcp' } as const;
    for (const named of this.#options.http.all()) this.#visit(named, check, nowMs);
    for (const named of this.#options.tcp.all()) this.#visit(named, connectOnly, nowMs);
    for (const [key, { seen, asking }] of this.#watched) {
      if (seen) continue;
      asking?.abort();
      this.#watched.delete(key);
    }
  }

  #visit({ cluster, usedAtMs }: NamedCluster<HttpEndpoint>, check: HealthCheckConfig, nowMs: number): void {
    if (nowMs - usedAtMs > idleMs) return;
    for (const member of cluster.members) {
      const key = keyOf(member, check.kind === 'tcp');
      let watched = this.#watched.get(key);
      if (watched === undefined) {
        watched = { state: unchecked, nextAtMs: nowMs, reason: '', asking: null, seen: true };
        this.#watched.set(key, watched);
      }
      watched.seen = true;
      // Clusters come and go; what is known of the endpoint stays.
      if (watched.state.healthy === cluster.isFailing(member)) cluster.checked(member, watched.state.healthy);
      if (watched.asking === null && nowMs >= watched.nextAtMs) void this.#ask(member, watched, check);
    }
  }

  async #ask(member: HttpEndpoint, watched: Watched, check: HealthCheckConfig): Promise<void> {
    const { ask, random, monotonicMs, onChange } = this.#options;
    const asking = new AbortController();
    const timer = setTimeout(() => asking.abort(), check.timeoutMs);
    watched.asking = asking;
    let result: 'passed' | 'failed' | 'immediate' = 'failed';
    try {
      result = await ask(member, check, asking.signal);
      if (result === 'immediate') watched.reason = 'it says so itself';
    } catch (error) {
      watched.reason = asking.signal.aborted ? `no answer within ${check.timeoutMs} ms` : toMessage(error);
    }
    clearTimeout(timer);
    watched.asking = null;
    const jitterMs = (check.intervalMs * check.jitterPercent * random()) / 100;
    watched.nextAtMs = monotonicMs() + check.intervalMs + jitterMs;
    const before = watched.state;
    watched.state = afterCheck(before, result, check);
    if (watched.state.healthy === before.healthy) return;
    const { service, name } = { service: member.edge.peerService ?? '', name: member.endpoint.name };
    const words = watched.state.healthy ? 'is well again' : `is left out: ${watched.reason}`;
    onChange(`endpoint ${name} of ${service} ${words}`);
  }
}

/** One that is only connected to may be well where requests fail. */
function keyOf(member: HttpEndpoint, connectOnly: boolean): string {
  return `${connectOnly ? 'tcp ' : ''}${member.poolKey ?? member.key}`;
}

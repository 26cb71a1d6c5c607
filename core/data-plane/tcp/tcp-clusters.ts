import { type ClusterPolicy, policyOf } from '../../model/traffic-config.ts';
import { hashText } from '../../shared/hash.ts';
import type { Random } from '../../shared/random.ts';
import type { CompiledService, HttpEndpoint } from '../http/compiled-service.ts';
import type { Cluster } from '../upstream/cluster.ts';
import { ClusterSet } from '../upstream/cluster-set.ts';

/** A connection's place in its cluster. */
export interface TcpLease {
  /** The endpoint took the connection, or did not. */
  noted(hasConnected: boolean): void;
  /** It is over, or never was; once. */
  leave(): void;
}

export type TcpPick = { readonly endpoint: HttpEndpoint; readonly lease: TcpLease } | 'overflow' | null;

/**
 * Traffic policies of connections that are not HTTP: who gets one, how many there may be, who is left out because connecting
 * failed. Limits of requests do not apply, of the keys of consistent hash only the client's address.
 */
export class TcpClusters {
  readonly set: ClusterSet<HttpEndpoint>;
  readonly #monotonicMs: () => number;

  constructor(random: Random, monotonicMs: () => number) {
    this.set = new ClusterSet(random);
    this.#monotonicMs = monotonicMs;
  }

  /** `null`: nobody may have it (`UH`); `overflow`: there are as many as there may be (`UO`). */
  pick(
    { config: { key, policies = [] } }: CompiledService,
    subset: string | null,
    port: number,
    candidates: readonly HttpEndpoint[],
    clientAddress: string,
  ): TcpPick {
    const policy = policyOf(policies, subset, port);
    const nowMs = this.#monotonicMs();
    const cluster = this.set.get(key, subset, port, policy, candidates, nowMs);
    if (!cluster.admitsConnection) return 'overflow';
    const endpoint = cluster.pick({ keyHash: keyHashOf(policy, clientAddress), tried: [] }, nowMs);
    return endpoint === null ? null : { endpoint, lease: this.#lease(cluster, endpoint) };
  }

  /** A place for a connection whose endpoint is known. */
  hold(service: CompiledService, port: number, endpoint: HttpEndpoint): TcpLease | 'overflow' {
    const { key, policies = [] } = service.config;
    const members = service.endpoints(null, port);
    const cluster = this.set.get(key, null, port, policyOf(policies, null, port), members, this.#monotonicMs());
    return cluster.admitsConnection ? this.#lease(cluster, endpoint) : 'overflow';
  }

  /** A place for a connection to the application, the only one of its cluster. */
  holdIn(name: string, port: number, policy: ClusterPolicy, endpoint: HttpEndpoint): TcpLease | 'overflow' {
    const cluster = this.set.get(name, null, port, policy, [endpoint], this.#monotonicMs());
    return cluster.admitsConnection ? this.#lease(cluster, endpoint) : 'overflow';
  }

  #lease(cluster: Cluster<HttpEndpoint>, endpoint: HttpEndpoint): TcpLease {
    let isOver = false;
    cluster.began(endpoint);
    return {
      noted: (hasConnected) => cluster.note(endpoint, hasConnected ? connected : failed, this.#monotonicMs()),
      leave: () => {
        if (isOver) return;
        isOver = true;
        cluster.ended(endpoint, null, this.#monotonicMs());
      },
    };
  }
}

const connected = { kind: 'status', status: 200 } as const;
const failed = { kind: 'local-origin', connected: false } as const;

function keyHashOf({ loadBalancer }: ClusterPolicy, clientAddress: string): number | null {
  return loadBalancer?.kind === 'hash' && loadBalancer.key.kind === 'source-ip' ? hashText(clientAddress) : null;
}

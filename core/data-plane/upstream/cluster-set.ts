import type { ClusterPolicy } from '../../model/traffic-config.ts';
import type { Random } from '../../shared/random.ts';
import { Cluster, type ClusterMember } from './cluster.ts';

/** Clusters that nobody has asked for this long are forgotten. */
const idleMs = 10 * 60_000;
const maxClusters = 10_000;

interface Kept<T extends ClusterMember> {
  readonly service: string;
  readonly subset: string | null;
  readonly port: number;
  readonly cluster: Cluster<T>;
  /** As it came last: equal ones of later configurations are compared once. */
  policy: ClusterPolicy;
  usedAtMs: number;
}

/** A cluster with what it is called. */
export type NamedCluster<T extends ClusterMember> = Readonly<Omit<Kept<T>, 'policy'>>;

/**
 * All clusters of a sidecar. They outlive the configuration they came with, so that ejections, counts and turns go on; a
 * changed policy makes a new cluster, as in Envoy.
 */
export class ClusterSet<T extends ClusterMember> {
  readonly #random: Random;
  readonly #clusters = new Map<string, Kept<T>>();

  constructor(random: Random) {
    this.#random = random;
  }

  get(
    service: string,
    subset: string | null,
    port: number,
    policy: ClusterPolicy,
    members: readonly T[],
    nowMs: number,
  ): Cluster<T> {
    const name = `${service}|${subset ?? '*'}|${port}`;
    let kept = this.#clusters.get(name);
    if (kept === undefined || (kept.policy !== policy && JSON.stringify(kept.policy) !== JSON.stringify(policy))) {
      if (this.#clusters.size >= maxClusters) this.#forgetIdle(nowMs);
      const cluster = new Cluster<T>(policy, this.#random, nowMs);
      kept = { service, subset, port, cluster, policy, usedAtMs: nowMs };
      this.#clusters.set(name, kept);
    }
    kept.policy = policy;
    kept.usedAtMs = nowMs;
    kept.cluster.update(members, nowMs);
    return kept.cluster;
  }

  /** Those there are. */
  all(): Iterable<NamedCluster<T>> {
    return this.#clusters.values();
  }

  /** Ports come from clients, so the number must have an end. */
  #forgetIdle(nowMs: number): void {
    for (const [name, { cluster, usedAtMs }] of this.#clusters) {
      if (cluster.requests === 0 && nowMs - usedAtMs > idleMs) this.#clusters.delete(name);
    }
    const [oldest] = this.#clusters.keys();
    if (this.#clusters.size >= maxClusters && oldest !== undefined) this.#clusters.delete(oldest);
  }
}

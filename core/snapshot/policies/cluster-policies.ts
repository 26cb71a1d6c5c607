import type { Subset } from '../../model/destination-rule.ts';
import { parseDuration } from '../../model/duration.ts';
import type { ConsistentHash, LoadBalancer } from '../../model/load-balancer.ts';
import type {
  ClusterPolicy,
  HashKey,
  LoadBalancerConfig,
  OutlierConfig,
  PolicyEntry,
} from '../../model/traffic-config.ts';
import type { ConnectionPool, OutlierDetection, TrafficPolicy } from '../../model/traffic-policy.ts';
import { defaultMaglevSize, defaultRingSize } from '../../policy/consistent-hash.ts';
import { defaultOutlierPolicy } from '../../policy/outlier-detection.ts';
import { defaultRetryBudget } from '../../policy/retry-budget.ts';
import { compileUpstreamTls } from './upstream-tls.ts';

type Groups = Pick<
  TrafficPolicy,
  'loadBalancer' | 'connectionPool' | 'outlierDetection' | 'retryBudget' | 'tls' | 'tunnel' | 'proxyProtocol'
>;

/** A policy with what it was made of, for what depends on the source of the traffic (locality). */
export interface PolicyScope extends PolicyEntry {
  readonly groups: Pick<TrafficPolicy, 'loadBalancer' | 'outlierDetection'>;
}

/**
 * The policies of one service, from the rule's own and those of its subsets. A subset takes over what it does not say
 * itself; settings of a port take nothing over (Istio: what they omit falls to the defaults). Entries that say nothing are
 * kept when they stand for a port or a subset, as they end what stands above them.
 */
export function compileClusterPolicies(policy: TrafficPolicy | undefined, subsets: readonly Subset[]): PolicyScope[] {
  const entries: PolicyScope[] = [];
  const own = policy === undefined ? {} : policy;
  const add = (subset: string | null, port: number | null, groups: Groups) =>
    entries.push({ subset, port, policy: compilePolicy(groups), groups });
  if (policy !== undefined) add(null, null, own);
  const ownPorts = portsOf(policy);
  for (const [port, groups] of ownPorts) add(null, port, groups);
  for (const { name, trafficPolicy } of subsets) {
    if (trafficPolicy === undefined) continue;
    add(name, null, override(own, trafficPolicy));
    const ports = portsOf(trafficPolicy);
    for (const port of new Set([...ownPorts.keys(), ...ports.keys()])) {
      add(name, port, ports.get(port) ?? override(ownPorts.get(port) ?? own, trafficPolicy));
    }
  }
  return entries.some((entry) => Object.keys(entry.policy).length > 0 || saysPlace(entry)) ? entries : [];
}

function saysPlace({ groups }: PolicyScope): boolean {
  const { localityLbSetting, zoneAwareLbSetting } = groups.loadBalancer ?? {};
  return localityLbSetting !== undefined || zoneAwareLbSetting !== undefined;
}

function portsOf(policy: TrafficPolicy | undefined): Map<number, Groups> {
  const ports = new Map<number, Groups>();
  for (const { port, ...groups } of policy?.portLevelSettings ?? []) {
    if (port?.number === undefined || ports.has(port.number)) continue;
    // What a port cannot say is taken from the policy that it stands in.
    ports.set(port.number, { ...groups, tunnel: policy?.tunnel, proxyProtocol: policy?.proxyProtocol });
  }
  return ports;
}

/** Group by group: what the subset says replaces the whole group. */
function override(base: Groups, own: Groups): Groups {
  return {
    loadBalancer: own.loadBalancer ?? base.loadBalancer,
    connectionPool: own.connectionPool ?? base.connectionPool,
    outlierDetection: own.outlierDetection ?? base.outlierDetection,
    retryBudget: own.retryBudget ?? base.retryBudget,
    tls: own.tls ?? base.tls,
    tunnel: own.tunnel ?? base.tunnel,
    proxyProtocol: own.proxyProtocol ?? base.proxyProtocol,
  };
}

function compilePolicy(groups: Groups): ClusterPolicy {
  const { loadBalancer, connectionPool, outlierDetection, retryBudget } = groups;
  const balancer = compileBalancer(loadBalancer);
  const warmUp = compileWarmUp(loadBalancer);
  const { percent, minRetryConcurrency } = defaultRetryBudget;
  return {
    ...(balancer === null ? {} : { loadBalancer: balancer }),
    ...(warmUp === null ? {} : { warmUp }),
    ...(outlierDetection === undefined ? {} : { outlier: compileOutlier(outlierDetection) }),
    ...compilePool(connectionPool),
    ...(retryBudget === undefined
      ? {}
      : {
          retryBudget: {
            percent: retryBudget.percent ?? percent,
            minRetryConcurrency: retryBudget.minRetryConcurrency ?? minRetryConcurrency,
          },
        }),
    ...compileOrigination(groups),
  };
}

function compileOrigination({ tls, tunnel, proxyProtocol }: Groups): Partial<ClusterPolicy> {
  return {
    ...compileUpstreamTls(tls),
    ...(proxyProtocol === undefined ? {} : { proxyProtocol: proxyProtocol.version === 'V2' ? 'v2' : 'v1' }),
    ...(tunnel === undefined || tunnel.protocol === 'POST'
      ? {}
      : {
          tunnel: {
            host: tunnel.targetHost,
            port: tunnel.targetPort,
          },
        }),
  };
}

/** `null`: the default, least request. */
function compileBalancer(settings: LoadBalancer | undefined): LoadBalancerConfig | null {
  if (settings?.consistentHash !== undefined) return compileHash(settings.consistentHash);
  switch (settings?.simple) {
    case 'ROUND_ROBIN':
      return { kind: 'round-robin' };
    case 'RANDOM':
      return { kind: 'random' };
    case 'PASSTHROUGH':
      return { kind: 'passthrough' };
    default:
      return null;
  }
}

function compileHash(hash: ConsistentHash): LoadBalancerConfig {
  const { maglev, ringHash, minimumRingSize } = hash;
  const ringSize = Number(ringHash?.minimumRingSize ?? minimumRingSize ?? defaultRingSize);
  const key = compileHashKey(hash);
  if (key === null) return { kind: 'random' };
  if (maglev === undefined) return { kind: 'hash', key, table: 'ring', size: Math.max(1, ringSize) };
  return { kind: 'hash', key, table: 'maglev', size: Math.max(1, Number(maglev.tableSize ?? defaultMaglevSize)) };
}

/** `null`: no key is named, so requests go anywhere. */
function compileHashKey({
  httpHeaderName,
  httpCookie,
  httpQueryParameterName,
  useSourceIp,
}: ConsistentHash): HashKey | null {
  if (httpHeaderName !== undefined) return { kind: 'header', name: httpHeaderName.toLowerCase() };
  if (httpQueryParameterName !== undefined) return { kind: 'query', name: httpQueryParameterName };
  if (httpCookie === undefined) return useSourceIp === true ? { kind: 'source-ip' } : null;
  const { name, path = '', ttl } = httpCookie;
  const ttlSeconds = ttl === undefined ? null : Math.round((parseDuration(ttl) ?? 0) / 1_000);
  return { kind: 'cookie', name, path, ttlSeconds };
}

function compileWarmUp(settings: LoadBalancer | undefined): ClusterPolicy['warmUp'] | null {
  const { warmup, warmupDurationSecs } = settings ?? {};
  const durationMs = toMs(warmup?.duration ?? warmupDurationSecs);
  if (durationMs === null || settings?.consistentHash !== undefined || settings?.simple === 'RANDOM') return null;
  return { durationMs, minimumPercent: warmup?.minimumPercent ?? 10, aggression: warmup?.aggression ?? 1 };
}

/** Limits and times of connections; a pool that says nothing has none. */
export function compilePool(pool: ConnectionPool | undefined): Partial<ClusterPolicy> {
  const { tcp = {}, http = {} } = pool ?? {};
  const { tcpKeepalive: probe, idleTimeout: tcpIdle } = tcp;
  const { http2KeepAlive: ping } = http;
  const limits = {
    maxConnections: tcp.maxConnections,
    maxPendingRequests: http.http1MaxPendingRequests,
    maxRequests: http.http2MaxRequests,
    maxRetries: http.maxRetries,
    maxRequestsPerConnection: http.maxRequestsPerConnection,
    maxConcurrentStreams: http.maxConcurrentStreams,
    connectTimeoutMs: toMs(tcp.connectTimeout),
    maxConnectionDurationMs: toMs(tcp.maxConnectionDuration),
  };
  // Istio takes 0 for "not set", but for idle times, where it is "never".
  const given = Object.entries(limits).filter(([, limit]) => limit !== undefined && limit !== null && limit > 0);
  const idleTimeoutMs = toIdleMs(http.idleTimeout) ?? toIdleMs(tcpIdle);
  const tcpIdleTimeoutMs = toIdleMs(tcpIdle);
  return {
    ...(Object.fromEntries(given) as Partial<ClusterPolicy>),
    ...(idleTimeoutMs === null ? {} : { idleTimeoutMs }),
    ...(tcpIdleTimeoutMs === null ? {} : { tcpIdleTimeoutMs }),
    ...(probe === undefined ? {} : { tcpKeepAlive: compileKeepAlive(probe) }),
    ...(ping === undefined ? {} : { http2KeepAlive: compilePing(ping) }),
    ...compileHttpVersion(http),
  };
}

type TcpPool = NonNullable<ConnectionPool['tcp']>;
type HttpPool = NonNullable<ConnectionPool['http']>;

function compileKeepAlive({ time, interval, probes = 0 }: NonNullable<TcpPool['tcpKeepalive']>) {
  const [timeMs, intervalMs] = [toMs(time), toMs(interval)];
  return {
    ...(timeMs === null ? {} : { timeMs }),
    ...(intervalMs === null ? {} : { intervalMs }),
    ...(probes > 0 ? { probes } : {}),
  };
}

/** Envoy asks only when there is an interval; its answer then has 20 s. */
function compilePing({ interval, timeout }: NonNullable<HttpPool['http2KeepAlive']>) {
  return { intervalMs: toMs(interval) ?? 30_000, timeoutMs: toMs(timeout) ?? 20_000 };
}

/** The client's protocol wins over the upgrade (asked of istiod). */
function compileHttpVersion({ useClientProtocol, h2UpgradePolicy }: HttpPool): Pick<ClusterPolicy, 'httpVersion'> {
  if (useClientProtocol === true) return { httpVersion: 'client' };
  return h2UpgradePolicy === 'UPGRADE' ? { httpVersion: 'http/2' } : {};
}

function compileOutlier(detection: OutlierDetection): OutlierConfig {
  // `consecutiveErrors`, deprecated, has no effect any more (asked of istiod); the checks say so.
  const { splitExternalLocalOriginErrors: isSplit } = detection;
  const codes = detection.outlierDetectionHttpErrorCodes ?? [];
  const baseEjectionMs = toMs(detection.baseEjectionTime) ?? defaultOutlierPolicy.baseEjectionMs;
  const localOrigin = isSplit === true ? detection.consecutiveLocalOriginFailures || 5 : null;
  return {
    consecutive5xx: detection.consecutive5xxErrors ?? defaultOutlierPolicy.consecutive5xx,
    // Deprecated, and counted so before it was split into two.
    consecutiveGatewayErrors: detection.consecutiveGatewayErrors ?? 0,
    consecutiveLocalOriginFailures: localOrigin,
    intervalMs: toMs(detection.interval) ?? defaultOutlierPolicy.intervalMs,
    baseEjectionMs,
    maxEjectionMs: Math.max(defaultOutlierPolicy.maxEjectionMs, baseEjectionMs),
    maxEjectionPercent: detection.maxEjectionPercent || defaultOutlierPolicy.maxEjectionPercent,
    minHealthPercent: detection.minHealthPercent ?? 0,
    ...(codes.length === 0 ? {} : { errorCodes: codes }),
  };
}

/** Whole milliseconds, 0 for never; `null` for absent. */
function toIdleMs(text: string | undefined): number | null {
  return text === undefined ? null : Math.ceil(parseDuration(text) ?? 0);
}

/** Whole milliseconds; `null` for absent and zero. */
function toMs(text: string | undefined): number | null {
  const ms = text === undefined ? 0 : Math.ceil(parseDuration(text) ?? 0);
  return ms > 0 ? ms : null;
}

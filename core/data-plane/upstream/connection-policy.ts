import type { ClusterPolicy, UpstreamTlsConfig } from '../../model/traffic-config.ts';
import { hashText } from '../../shared/hash.ts';
import type { Address, DialPolicy, UpstreamTarget } from '../connection.ts';

/** What a policy says of the connections of HTTP: how long they live, how much they carry. */
export type PoolPolicy = Pick<
  ClusterPolicy,
  | 'maxRequestsPerConnection'
  | 'idleTimeoutMs'
  | 'tcpIdleTimeoutMs'
  | 'maxConnectionDurationMs'
  | 'maxConcurrentStreams'
  | 'http2KeepAlive'
>;

/** A policy as far as connections differ by it. */
export interface ConnectionPolicy {
  /** How they are made; absent: as usual. */
  readonly dial?: DialPolicy;
  readonly pool?: PoolPolicy;
  readonly httpVersion?: ClusterPolicy['httpVersion'];
  /** No TLS between sidecars: the rule says so, or begins TLS of its own. */
  readonly withoutMesh: boolean;
  /** Equal exactly when connections may be shared. */
  readonly text: string;
}

const poolFields = [
  'maxRequestsPerConnection',
  'idleTimeoutMs',
  'tcpIdleTimeoutMs',
  'maxConnectionDurationMs',
  'maxConcurrentStreams',
  'http2KeepAlive',
] as const;

export type Files = ReadonlyMap<string, string>;

/** `null`: connections are as usual. @param host of the service, for TLS; `files`: those that it may name */
export function connectionPolicy(policy: ClusterPolicy, host: string, files: Files): ConnectionPolicy | null {
  const { connectTimeoutMs, tcpKeepAlive, tls, proxyProtocol, tunnel, httpVersion, plaintext = false } = policy;
  const dial: DialPolicy = {
    ...(connectTimeoutMs === undefined ? {} : { timeoutMs: connectTimeoutMs }),
    ...(tcpKeepAlive === undefined ? {} : { keepAlive: tcpKeepAlive }),
    ...(tls === undefined ? {} : { originate: { config: tls, host, alpn: null, files } }),
    ...(proxyProtocol === undefined ? {} : { proxyProtocol }),
    ...(tunnel === undefined ? {} : { tunnel }),
  };
  const pool = Object.fromEntries(
    poolFields.flatMap((field) => (policy[field] === undefined ? [] : [[field, policy[field]]])),
  );
  const text = JSON.stringify([dial, pool, plaintext, httpVersion, tls === undefined ? '' : digest(tls, files)]);
  if (text === usual) return null;
  return {
    ...(Object.keys(dial).length === 0 ? {} : { dial }),
    ...(Object.keys(pool).length === 0 ? {} : { pool: pool as PoolPolicy }),
    ...(httpVersion === undefined ? {} : { httpVersion }),
    withoutMesh: plaintext || tls !== undefined,
    text,
  };
}

const usual = JSON.stringify([{}, {}, false, undefined, '']);

/** Another file is another identity: connections of the old one are not used any more. */
function digest({ caFile, certificateFile, keyFile, crlFile }: UpstreamTlsConfig, files: Files): string {
  const names = [caFile, certificateFile, keyFile, crlFile];
  return String(hashText(JSON.stringify(names.map((name) => (name === undefined ? null : (files.get(name) ?? null))))));
}

/** The connection that a header of the PROXY protocol speaks of; between sidecars there is none. */
export function onBehalfOf(target: UpstreamTarget, source: Address, destination: Address | null): UpstreamTarget {
  if (target.tls !== null || target.dial?.proxyProtocol === undefined) return target;
  return { ...target, onBehalfOf: { source, destination } };
}

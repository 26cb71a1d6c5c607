/**
 * The programs that the bench compares, each configured to do the same work: one worker, pooled keep-alive connections to
 * the upstream, a request id inserted into requests, no access log, defaults otherwise.
 *
 * peer   one program, able to play some of the roles
 * hop    one proxy, plain HTTP/1.1 on both sides
 * retry  the hop, which asks again, up to three times, when the application answers 503
 * pair   two proxies, mutual TLS 1.3 between them, plain HTTP/1.1 outside; between them HTTP/1.1 unless the name says h2
 * tcp    one proxy that does not look into the bytes
 * tcp-pair  two such proxies with mutual TLS between them: every connection is a handshake
 * grpc   a pair whose client and application speak HTTP/2 with prior knowledge
 */
export type Role = 'hop' | 'retry' | 'pair' | 'tcp' | 'tcp-pair' | 'grpc';

export interface PeerContext {
  /** Where the application listens. */
  readonly upstreamPort: number;
  /** A folder of the peer's own. */
  readonly dir: string;
  /** Asks for a CPU profile; only Meshdesk's sidecar writes one. */
  readonly profile?: boolean;
}

export interface RunningPeer {
  /** Where clients connect. */
  readonly port: number;
  /** The proxy's processes: their CPU time and memory are what is measured. */
  readonly pids: readonly number[];
  close(): Promise<void>;
}

export interface Peer {
  readonly name: string;
  readonly roles: readonly Role[];
  /** Why it cannot play the role here; `null` when it can. */
  absent(role: Role): string | null;
  start(role: Role, context: PeerContext): Promise<RunningPeer>;
}

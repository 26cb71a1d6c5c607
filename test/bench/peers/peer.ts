/**
 * The programs that the bench compares, each configured to do the same work: one worker, pooled keep-alive connections to
 * the upstream, one header inserted into requests, no access log, defaults otherwise.
 *
 * peer     one program in one role
 * hop      one proxy, plain HTTP/1.1 on both sides
 * pair     two proxies, mutual TLS 1.3 between them, plain HTTP/1.1 outside
 */
export type Role = 'hop' | 'pair';

export interface PeerContext {
  /** Where the application listens. */
  readonly upstreamPort: number;
  /** A folder of the peer's own. */
  readonly dir: string;
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
  /** Why it cannot run here; `null` when it can. */
  absent(): string | null;
  start(role: Role, context: PeerContext): Promise<RunningPeer>;
}

import type { TopologyEdge } from '../../../core/contract/shapes.ts';

/** Share of the traffic over these edges that is mutual TLS, weighted by requests (connections for TCP); `null` without traffic. Pure. */
export function encryptedShare(edges: readonly TopologyEdge[]): number | null {
  let total = 0;
  let encrypted = 0;
  for (const { requestsPerSecond, tcp, mtlsPercent } of edges) {
    const amount = requestsPerSecond ?? tcp?.connections ?? 0;
    total += amount;
    encrypted += (amount * mtlsPercent) / 100;
  }
  return total === 0 ? null : (encrypted / total) * 100;
}

/** Node ids that send plaintext, at least in part. */
export function plaintextCallers(edges: readonly TopologyEdge[]): readonly string[] {
  return edges.filter(({ mtls }) => mtls !== 'closed').map(({ from }) => from);
}

import { z } from 'zod';

/** Istio's default, so that production policies match unchanged. */
export const defaultTrustDomain = 'cluster.local';

/** `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`, Istio's form of a SPIFFE ID. */
export function toSpiffeId(trustDomain: string, namespace: string, serviceAccount: string): string {
  return `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
}

/** Namespace and service account of a SPIFFE ID in Istio's form; `null` for any other URI. */
export function parseSpiffeId(uri: string): { trustDomain: string; namespace: string; serviceAccount: string } | null {
  const match = /^spiffe:\/\/([^/]+)\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(uri);
  const [, trustDomain, namespace, serviceAccount] = match ?? [];
  if (trustDomain === undefined || namespace === undefined || serviceAccount === undefined) return null;
  return { trustDomain, namespace, serviceAccount };
}

/**
 * ALPN of sidecar-to-sidecar TLS: says "this is the mesh" and which protocol is inside. `mux` carries many HTTP requests
 * (docs/mux.md), HTTP/2's too; `http` one after the other, and is what every sidecar knows.
 */
export const meshAlpn = {
  mux: 'meshdesk-mux/1',
  http: 'meshdesk-http/1.1',
  tcp: 'meshdesk-tcp',
} as const;

export const MtlsMode = z.enum(['DISABLE', 'PERMISSIVE', 'STRICT']);
export type MtlsMode = z.infer<typeof MtlsMode>;

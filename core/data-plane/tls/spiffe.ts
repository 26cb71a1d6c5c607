import { X509Certificate } from 'node:crypto';
import { parseSpiffeId } from '../../model/identity.ts';

/** The SPIFFE ID of a certificate: its only URI subject alternative name (X.509-SVID, 2). `null` when it has none or several. */
export function spiffeIdOf(certificate: X509Certificate | string | Buffer): string | null {
  const parsed = certificate instanceof X509Certificate ? certificate : new X509Certificate(certificate);
  return spiffeIdFromNames(parsed.subjectAltName);
}

/** The same from Node's rendering of the names, e.g. `URI:spiffe://..., DNS:...`. */
export function spiffeIdFromNames(subjectAltName: string | undefined): string | null {
  const uris = (subjectAltName ?? '').split(', ').filter((name) => name.startsWith('URI:'));
  const [uri] = uris;
  if (uris.length !== 1 || uri === undefined) return null;
  const id = uri.slice('URI:'.length);
  return parseSpiffeId(id) === null ? null : id;
}

/** True when `spiffeId` is in Istio's form and of this trust domain. */
export function isOfTrustDomain(spiffeId: string, trustDomain: string): boolean {
  return parseSpiffeId(spiffeId)?.trustDomain === trustDomain;
}

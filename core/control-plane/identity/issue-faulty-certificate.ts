import type { InjectionAction } from '../../model/injection-config.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import { createRoot, issueWorkloadCertificate } from './issue-certificate.ts';

export type IdentityFaultAction = Extract<InjectionAction, { kind: `identity-${string}` }>;

const hourMs = 3_600_000;

/**
 * A certificate that callers must refuse, for a fault: nothing of it is kept, and no certificate of the mesh changes. One of
 * a wrong name is good for an hour only, whoever it names.
 */
export async function issueFaultyCertificate(
  authority: CertificateAuthority,
  action: IdentityFaultAction,
  request: { readonly csrPem: string; readonly spiffeId: string; readonly commonName: string; readonly nowMs: number },
): Promise<readonly string[]> {
  const { nowMs } = request;
  switch (action.kind) {
    case 'identity-expired': {
      const validity = { fromMs: nowMs - 2 * hourMs, untilMs: nowMs - hourMs };
      return [(await authority.issue({ ...request, validity })).pem];
    }
    case 'identity-wrong-san': {
      const validity = { fromMs: nowMs - hourMs, untilMs: nowMs + hourMs };
      return [(await authority.issue({ ...request, spiffeId: action.spiffeId, validity })).pem];
    }
    case 'identity-unknown-ca': {
      const stranger = await createRoot('unknown.example', nowMs);
      return [(await issueWorkloadCertificate(stranger, request)).pem];
    }
  }
}

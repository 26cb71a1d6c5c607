import { X509Certificate } from 'node:crypto';
import type { CertificateCheck } from '../../contract/shapes.ts';
import { parseSpiffeId } from '../../model/identity.ts';
import { toCertificateDetail } from './certificate-detail.ts';

/** What `cert verify` checks of a workload's certificate; every check is made, also after one has failed. */
export function verifyCertificate(subject: {
  readonly certificatePem: string;
  readonly trustBundlePem: readonly string[];
  readonly spiffeId: string;
  readonly nowMs: number;
  /** Serial that the sidecar says it uses; `null`: not known. */
  readonly serialInUse: string | null;
}): CertificateCheck {
  const certificate = new X509Certificate(subject.certificatePem);
  const detail = toCertificateDetail(subject.certificatePem);
  const root = subject.trustBundlePem
    .map((pem) => new X509Certificate(pem))
    .find((candidate) => certificate.checkIssued(candidate) && certificate.verify(candidate.publicKey));
  const checks = [
    check('chain', root !== undefined, 'Signed by a root of the mesh.', 'No root of the mesh has signed it.'),
    checkValidity('validity', certificate, subject.nowMs),
    root === undefined
      ? { name: 'root validity', ok: false, message: 'There is no root to check.' }
      : checkValidity('root validity', root, subject.nowMs),
    check(
      'identity',
      detail.sans.length === 1 && detail.sans[0] === subject.spiffeId && parseSpiffeId(subject.spiffeId) !== null,
      `Its only name is ${subject.spiffeId}.`,
      `Its names are ${detail.sans.join(', ') || '(none)'}; ${subject.spiffeId} was expected.`,
    ),
    check('not a CA', !certificate.ca, 'It cannot sign other certificates.', 'It is a CA certificate.'),
    check(
      'usage',
      usageOf(detail, '2.5.29.15') === 'Digital Signature' && usageOf(detail, '2.5.29.37') === 'TLS server, TLS client',
      'For TLS, as client and as server.',
      'Its key usage is not that of a workload certificate.',
    ),
    check(
      'in use',
      subject.serialInUse === detail.serial,
      'The sidecar uses this certificate and holds its key.',
      subject.serialInUse === null
        ? 'The sidecar has not confirmed that it holds the key.'
        : `The sidecar uses another certificate (serial ${subject.serialInUse}).`,
    ),
  ];
  return { ok: checks.every((entry) => entry.ok), checks };
}

function checkValidity(name: string, certificate: X509Certificate, nowMs: number): CertificateCheck['checks'][number] {
  const from = Date.parse(certificate.validFrom);
  const to = Date.parse(certificate.validTo);
  const text = `valid from ${new Date(from).toISOString()} to ${new Date(to).toISOString()}.`;
  return check(name, from <= nowMs && nowMs <= to, `It is ${text}`, `It is not valid now; it is ${text}`);
}

function usageOf(detail: ReturnType<typeof toCertificateDetail>, oid: string): string | undefined {
  return detail.extensions.find((extension) => extension.oid === oid)?.value;
}

function check(name: string, ok: boolean, good: string, bad: string): CertificateCheck['checks'][number] {
  return { name, ok, message: ok ? good : bad };
}

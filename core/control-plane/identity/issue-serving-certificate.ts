import { createPrivateKey, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';
import type { RootKeyPair } from './ca-files.ts';
import { algorithm, clockSkewMs, createSerial, toPem, toSecond } from './issue-certificate.ts';

/** Browsers take no server certificate that lives longer than 398 days. */
const servingLifetimeMs = 90 * 24 * 3_600_000;

export interface ServingCertificate {
  readonly chainPem: string;
  readonly keyPem: string;
  readonly notAfterMs: number;
}

/** A server's certificate for these names (wildcards allowed, addresses too), with a key made here. */
export async function issueServingCertificate(
  root: RootKeyPair,
  request: { readonly hosts: readonly string[]; readonly nowMs: number },
): Promise<ServingCertificate> {
  const issuer = new x509.X509Certificate(root.certificatePem);
  const rootKey = createPrivateKey(root.privateKeyPem).export({ format: 'der', type: 'pkcs8' });
  const signingKey = await webcrypto.subtle.importKey('pkcs8', rootKey, algorithm, false, ['sign']);
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const notAfter = toSecond(request.nowMs + servingLifetimeMs);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: createSerial(),
    subject: 'CN=Meshdesk gateway',
    issuer: issuer.subjectName,
    notBefore: toSecond(request.nowMs - clockSkewMs),
    notAfter,
    publicKey: keys.publicKey,
    signingKey: signingKey as never,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        request.hosts.map((host) => ({ type: isIP(host) === 0 ? ('dns' as const) : ('ip' as const), value: host })),
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  const keyPem = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).export({ format: 'pem', type: 'pkcs8' });
  return { chainPem: toPem(certificate), keyPem: keyPem.toString(), notAfterMs: notAfter.getTime() };
}

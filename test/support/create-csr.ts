import 'reflect-metadata';
import { KeyObject, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

x509.cryptoProvider.set(webcrypto as never);

/** A key and a request for it, as a sidecar makes them. */
export async function createCsr(
  options: { namedCurve?: string; uri?: string; dns?: readonly string[] } = {},
): Promise<{ csrPem: string; privateKeyPem: string }> {
  const algorithm = { name: 'ECDSA', namedCurve: options.namedCurve ?? 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const names: x509.JsonGeneralNames = [
    ...(options.uri === undefined ? [] : [{ type: 'url' as const, value: options.uri }]),
    ...(options.dns ?? []).map((value) => ({ type: 'dns' as const, value })),
  ];
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({
    name: 'CN=sidecar',
    keys: keys as never,
    signingAlgorithm: algorithm,
    extensions: names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)],
  });
  return {
    csrPem: csr.toString('pem'),
    privateKeyPem: KeyObject.from(keys.privateKey as never)
      .export({ format: 'pem', type: 'pkcs8' })
      .toString(),
  };
}

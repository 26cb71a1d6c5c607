import 'reflect-metadata';
import { createPrivateKey, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

x509.cryptoProvider.set(webcrypto as never);
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** Certificates outside of the mesh: a CA with a server's and a client's (`client.example.com`). */
export interface ServingPair {
  readonly caPem: string;
  readonly server: { readonly chainPem: string; readonly keyPem: string };
  /** As `tls.connect` takes it. */
  readonly client: { readonly cert: string; readonly key: string };
}

export async function createServingPair(host: string): Promise<ServingPair> {
  const keys = await createKeys();
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: `CN=CA of ${host.replace('*', 'any')}`,
    ...validity(),
    signingAlgorithm: algorithm,
    keys,
    extensions: [new x509.BasicConstraintsExtension(true, 0, true)],
  });
  const sign = async (serialNumber: string, subject: string, name: string) => {
    const own = await createKeys();
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber,
      subject,
      issuer: root.subject,
      ...validity(),
      signingKey: keys.privateKey,
      signingAlgorithm: algorithm,
      publicKey: own.publicKey,
      extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: name }])],
    });
    const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', own.privateKey as never));
    const keyPem = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).export({
      format: 'pem',
      type: 'pkcs8',
    });
    return { pem: certificate.toString('pem'), keyPem: keyPem.toString() };
  };
  const server = await sign('02', 'CN=server', host);
  const client = await sign('03', 'CN=client', 'client.example.com');
  return {
    caPem: root.toString('pem'),
    server: { chainPem: server.pem, keyPem: server.keyPem },
    client: { cert: client.pem, key: client.keyPem },
  };
}

async function createKeys(): Promise<CryptoKeyPair> {
  return (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as unknown as CryptoKeyPair;
}

function validity() {
  return { notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 3_600_000) };
}

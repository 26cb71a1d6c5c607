import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

x509.cryptoProvider.set(webcrypto as never);
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** A root that signs what it is asked to, so that tests of the data plane need no control plane. */
export class TestCa {
  readonly rootPem: string;
  readonly #root: x509.X509Certificate;
  readonly #keys: CryptoKeyPair;
  #serial = 1;

  private constructor(root: x509.X509Certificate, keys: CryptoKeyPair) {
    this.#root = root;
    this.#keys = keys;
    this.rootPem = root.toString('pem');
  }

  static async create(): Promise<TestCa> {
    const keys = (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as unknown as CryptoKeyPair;
    const root = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: '01',
      name: 'CN=Test root',
      notBefore: new Date(Date.now() - 60_000),
      notAfter: new Date(Date.now() + 3_600_000),
      signingAlgorithm: algorithm,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        // Two roots of one name are told apart by their key identifiers while the root rotates.
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    return new TestCa(root, keys);
  }

  /** Signs a request; takes key and names from it after checking its signature. `uri` replaces the requested name. */
  async sign(csrPem: string, uri?: string): Promise<string> {
    const request = new x509.Pkcs10CertificateRequest(csrPem);
    if (!(await request.verify())) throw new Error('the signature of the request is wrong');
    const names = request.getExtension('2.5.29.17');
    if (names === null) throw new Error('the request has no subject alternative name');
    this.#serial += 1;
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: this.#serial.toString(16).padStart(4, '0'),
      subject: '',
      issuer: this.#root.subject,
      notBefore: new Date(Date.now() - 60_000),
      notAfter: new Date(Date.now() + 3_600_000),
      signingKey: this.#keys.privateKey,
      signingAlgorithm: algorithm,
      publicKey: request.publicKey,
      extensions: [
        uri === undefined ? names : new x509.SubjectAlternativeNameExtension([{ type: 'url', value: uri }], true),
        await x509.AuthorityKeyIdentifierExtension.create(this.#keys.publicKey),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
      ],
    });
    return certificate.toString('pem');
  }
}

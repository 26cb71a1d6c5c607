/**
 * Certificates as the mesh makes them: EC P-256, ECDSA with SHA-256, identity in a SPIFFE URI SAN (SPIFFE X.509-SVID).
 * Validity begins `clockSkewMs` in the past, so that a sidecar whose clock is behind (a virtual machine after sleep)
 * accepts a fresh certificate. Must not: decide who gets one, or keep anything.
 */
import 'reflect-metadata';
import { createPrivateKey, createPublicKey, randomBytes, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { MeshError } from '../../contract/errors.ts';
import type { RootKeyPair } from './ca-files.ts';

x509.cryptoProvider.set(webcrypto as never);

export const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const hourMs = 3_600_000;
export const clockSkewMs = 5 * 60_000;
export const workloadLifetimeMs = 24 * hourMs;
export const rootLifetimeMs = 10 * 365 * 24 * hourMs;

export interface Validity {
  readonly fromMs: number;
  readonly untilMs: number;
}

export interface IssuedCertificate {
  readonly pem: string;
  /** Hex, lower-case. */
  readonly serial: string;
  readonly spiffeId: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** A self-signed root for workload certificates only (path length 0). */
export async function createRoot(trustDomain: string, nowMs: number): Promise<RootKeyPair> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const serialNumber = createSerial();
  // A name of its own: while roots rotate there are two, and a chain is first looked for by name.
  const name = `CN=Meshdesk root CA ${serialNumber.slice(0, 8)}, O=${escapeName(trustDomain)}`;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber,
    subject: name,
    issuer: name,
    notBefore: toSecond(nowMs - clockSkewMs),
    notAfter: toSecond(nowMs + rootLifetimeMs),
    publicKey: keys.publicKey,
    signingKey: keys.privateKey,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      new x509.SubjectAlternativeNameExtension([{ type: 'url', value: `spiffe://${trustDomain}` }]),
    ],
  });
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  const privateKeyPem = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).export({
    format: 'pem',
    type: 'pkcs8',
  });
  return { certificatePem: toPem(certificate), privateKeyPem: privateKeyPem.toString() };
}

/**
 * A workload certificate for the key of a CSR. Whatever the CSR asks for (names, extensions) is ignored: who the
 * workload is comes from the runtime that started its sidecar. Rejects with IDENTITY_FAILED when the CSR is unreadable,
 * is not signed by its own key, or has another kind of key than EC P-256.
 */
export async function issueWorkloadCertificate(
  root: RootKeyPair,
  request: {
    readonly csrPem: string;
    readonly spiffeId: string;
    readonly commonName: string;
    readonly nowMs: number;
    /** Default: from now, for `workloadLifetimeMs`. */
    readonly validity?: Validity;
  },
): Promise<IssuedCertificate> {
  const publicKey = await readRequestedKey(request.csrPem);
  const issuer = new x509.X509Certificate(root.certificatePem);
  const signingKey = await webcrypto.subtle.importKey(
    'pkcs8',
    createPrivateKey(root.privateKeyPem).export({ format: 'der', type: 'pkcs8' }),
    algorithm,
    false,
    ['sign'],
  );
  const serial = createSerial();
  const { nowMs, validity = { fromMs: nowMs - clockSkewMs, untilMs: nowMs + workloadLifetimeMs } } = request;
  const notBefore = toSecond(validity.fromMs);
  const notAfter = toSecond(validity.untilMs);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial,
    subject: `CN=${escapeName(request.commonName.slice(0, 64))}`,
    issuer: issuer.subjectName,
    notBefore,
    notAfter,
    publicKey: publicKey as never,
    signingKey: signingKey as never,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
      // The subject is not empty, so the SAN is not critical (RFC 5280, 4.2.1.6).
      new x509.SubjectAlternativeNameExtension([{ type: 'url', value: request.spiffeId }]),
      await x509.SubjectKeyIdentifierExtension.create(publicKey as never),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return {
    pem: toPem(certificate),
    serial,
    spiffeId: request.spiffeId,
    notBeforeMs: notBefore.getTime(),
    notAfterMs: notAfter.getTime(),
  };
}

async function readRequestedKey(csrPem: string): Promise<webcrypto.CryptoKey> {
  try {
    const csr = new x509.Pkcs10CertificateRequest(csrPem);
    const key = createPublicKey({ key: Buffer.from(csr.publicKey.rawData), format: 'der', type: 'spki' });
    if (key.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
      throw new Error(
        `the key must be EC P-256, it is ${key.asymmetricKeyDetails?.namedCurve ?? key.asymmetricKeyType}`,
      );
    }
    if (!(await csr.verify())) throw new Error('it is not signed by its own key');
    return (await csr.publicKey.export()) as webcrypto.CryptoKey;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new MeshError('IDENTITY_FAILED', `The sidecar's certificate request is not valid: ${why}.`, { cause: error });
  }
}

/** 127 random bits: positive, not zero, at most 20 bytes (RFC 5280, 4.1.2.2). */
export function createSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString('hex');
}

export function toPem(certificate: x509.X509Certificate): string {
  return `${certificate.toString('pem').trim()}\n`;
}

/** Certificates carry whole seconds. */
export function toSecond(ms: number): Date {
  return new Date(Math.floor(ms / 1000) * 1000);
}

/** RFC 4514 special characters of an attribute value. */
function escapeName(value: string): string {
  return value.replace(/[,+"\\<>;=#]/g, '\\$&');
}

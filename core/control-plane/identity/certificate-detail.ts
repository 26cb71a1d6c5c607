/** Certificates as a person reads them: node:crypto for the fields, node-forge's ASN.1 for the extensions. */
import { X509Certificate } from 'node:crypto';
import forge from 'node-forge';
import type { CertificateDetail } from '../../contract/shapes.ts';

const { asn1 } = forge;

const extensionNames: Readonly<Record<string, string>> = {
  '2.5.29.14': 'Subject Key Identifier',
  '2.5.29.15': 'Key Usage',
  '2.5.29.17': 'Subject Alternative Name',
  '2.5.29.19': 'Basic Constraints',
  '2.5.29.35': 'Authority Key Identifier',
  '2.5.29.37': 'Extended Key Usage',
};
const signatureNames: Readonly<Record<string, string>> = {
  '1.2.840.10045.4.3.2': 'ECDSA with SHA-256',
  '1.2.840.10045.4.3.3': 'ECDSA with SHA-384',
  '1.2.840.113549.1.1.11': 'RSA with SHA-256',
  '1.3.101.112': 'Ed25519',
};
const purposeNames: Readonly<Record<string, string>> = {
  '1.3.6.1.5.5.7.3.1': 'TLS server',
  '1.3.6.1.5.5.7.3.2': 'TLS client',
};
const usageNames = [
  'Digital Signature',
  'Non Repudiation',
  'Key Encipherment',
  'Data Encipherment',
  'Key Agreement',
  'Certificate Sign',
  'CRL Sign',
];

export function toCertificateDetail(pem: string): CertificateDetail {
  const certificate = new X509Certificate(pem);
  const { signatureOid, extensions } = readStructure(certificate.raw);
  const key = certificate.publicKey;
  const curve = key.asymmetricKeyDetails?.namedCurve;
  return {
    subject: oneLine(certificate.subject),
    issuer: oneLine(certificate.issuer),
    serial: certificate.serialNumber.toLowerCase(),
    notBefore: new Date(certificate.validFrom).toISOString(),
    notAfter: new Date(certificate.validTo).toISOString(),
    fingerprintSha256: certificate.fingerprint256,
    keyType:
      curve === undefined
        ? String(key.asymmetricKeyType).toUpperCase()
        : `EC ${curve === 'prime256v1' ? 'P-256' : curve}`,
    signatureAlgorithm: signatureNames[signatureOid] ?? signatureOid,
    sans: extensions.find((extension) => extension.oid === '2.5.29.17')?.value.split(', ') ?? [],
    isCa: certificate.ca,
    extensions,
    pem: `${certificate.toString().trim()}\n`,
  };
}

function readStructure(der: Buffer): { signatureOid: string; extensions: CertificateDetail['extensions'] } {
  const [tbs, signature] = children(asn1.fromDer(der.toString('binary')));
  const oid = children(signature)[0]?.value;
  const extensions = children(tbs).find(
    (node) => node.tagClass === asn1.Class.CONTEXT_SPECIFIC && Number(node.type) === 3,
  );
  return {
    signatureOid: typeof oid === 'string' ? asn1.derToOid(oid) : 'unknown',
    extensions: children(children(extensions)[0]).map(readExtension),
  };
}

function readExtension(node: forge.asn1.Asn1): CertificateDetail['extensions'][number] {
  const parts = children(node);
  const oid = asn1.derToOid(text(parts[0]));
  const flag = parts[1];
  const critical = flag !== undefined && Number(flag.type) === Number(asn1.Type.BOOLEAN) && text(flag) !== '\0';
  const content = text(parts.at(-1));
  return { oid, name: extensionNames[oid] ?? oid, critical, value: formatExtension(oid, content) };
}

function formatExtension(oid: string, der: string): string {
  const value = asn1.fromDer(der);
  switch (oid) {
    case '2.5.29.14':
      return toHex(text(value));
    case '2.5.29.15':
      return formatUsages(text(value));
    case '2.5.29.17':
      return children(value)
        .map((name) => generalName(name))
        .join(', ');
    case '2.5.29.19':
      return formatConstraints(children(value));
    case '2.5.29.35':
      return children(value)
        .map((part) => toHex(text(part)))
        .join(', ');
    case '2.5.29.37':
      return children(value)
        .map((purpose) => asn1.derToOid(text(purpose)))
        .map((purpose) => purposeNames[purpose] ?? purpose)
        .join(', ');
    default:
      return toHex(der);
  }
}

/** A BIT STRING: the first byte says how many bits of the last are unused. */
function formatUsages(bits: string): string {
  const first = bits.charCodeAt(1);
  return usageNames.filter((_, index) => (first & (0x80 >> index)) !== 0).join(', ');
}

function formatConstraints(parts: forge.asn1.Asn1[]): string {
  const ca = parts.some((part) => Number(part.type) === Number(asn1.Type.BOOLEAN) && text(part) !== '\0');
  const length = parts.find((part) => Number(part.type) === Number(asn1.Type.INTEGER));
  if (!ca) return 'not a CA';
  return length === undefined ? 'CA' : `CA, path length ${text(length).charCodeAt(0)}`;
}

/** GeneralName (RFC 5280, 4.2.1.6): 1 mail, 2 DNS name, 6 URI, 7 address. */
function generalName(node: forge.asn1.Asn1): string {
  const value = text(node);
  if (Number(node.type) !== 7) return value;
  const bytes = [...Buffer.from(value, 'binary')];
  return bytes.length === 4 ? bytes.join('.') : toHex(value);
}

function children(node: forge.asn1.Asn1 | undefined): forge.asn1.Asn1[] {
  return node !== undefined && Array.isArray(node.value) ? node.value : [];
}

/**
 * node-forge parses what looks like DER inside BIT STRINGs and OCTET STRINGs; the bytes are wanted, so such a value is
 * written back.
 */
function text(node: forge.asn1.Asn1 | undefined): string {
  if (node === undefined) return '';
  if (typeof node.value === 'string') return node.value;
  const inner = node.value.map((child) => asn1.toDer(child).getBytes()).join('');
  return Number(node.type) === Number(asn1.Type.BITSTRING) ? `\0${inner}` : inner;
}

function toHex(binary: string): string {
  return Buffer.from(binary, 'binary')
    .toString('hex')
    .toUpperCase()
    .replace(/(..)(?=.)/g, '$1:');
}

function oneLine(name: string): string {
  return name.split('\n').join(', ');
}

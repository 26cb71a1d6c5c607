/**
 * A PKCS #10 certificate request (RFC 2986) with nothing in it but the public key and a SPIFFE ID as URI subject
 * alternative name. Written out in DER here because it is six nested values, and an ASN.1 library would cost every
 * sidecar several megabytes of memory.
 */
import { type KeyObject, sign } from 'node:crypto';

const der = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  sequence: 0x30,
  set: 0x31,
  /** `[0] attributes` of CertificationRequestInfo. */
  context0: 0xa0,
  /** `[6] uniformResourceIdentifier` of GeneralName. */
  uri: 0x86,
  boolean: 0x01,
} as const;

const extensionRequest = Buffer.from('2a864886f70d01090e', 'hex'); // 1.2.840.113549.1.9.14
const subjectAltName = Buffer.from('551d11', 'hex'); // 2.5.29.17
const ecdsaWithSha256 = Buffer.from('2a8648ce3d040302', 'hex'); // 1.2.840.10045.4.3.2

function encode(tag: number, ...content: readonly Buffer[]): Buffer {
  const body = Buffer.concat(content);
  if (body.length < 0x80) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  const length = body.length < 0x100 ? [0x81, body.length] : [0x82, body.length >> 8, body.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
}

/** PEM of a request for `spiffeId`, signed with `privateKey` (EC P-256). The subject is empty, so the name is critical (RFC 5280, 4.2.1.6). */
export function createCertificateRequest(privateKey: KeyObject, publicKey: KeyObject, spiffeId: string): string {
  const name = encode(der.sequence, encode(der.uri, Buffer.from(spiffeId, 'ascii')));
  const extension = encode(
    der.sequence,
    encode(der.oid, subjectAltName),
    encode(der.boolean, Buffer.from([0xff])),
    encode(der.octetString, name),
  );
  const attribute = encode(
    der.sequence,
    encode(der.oid, extensionRequest),
    encode(der.set, encode(der.sequence, extension)),
  );
  const info = encode(
    der.sequence,
    encode(der.integer, Buffer.from([0])),
    encode(der.sequence),
    publicKey.export({ type: 'spki', format: 'der' }),
    encode(der.context0, attribute),
  );
  const request = encode(
    der.sequence,
    info,
    encode(der.sequence, encode(der.oid, ecdsaWithSha256)),
    encode(der.bitString, Buffer.from([0]), sign('sha256', info, privateKey)),
  );
  const lines = request.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE REQUEST-----\n${lines.join('\n')}\n-----END CERTIFICATE REQUEST-----\n`;
}

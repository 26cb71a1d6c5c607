import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CertificateAuthority } from '../../../core/control-plane/identity/certificate-authority.ts';
import { toCertificateDetail } from '../../../core/control-plane/identity/certificate-detail.ts';
import { verifyCertificate } from '../../../core/control-plane/identity/verify-certificate.ts';
import { createCsr } from '../../support/create-csr.ts';

const spiffeId = 'spiffe://cluster.local/ns/shop/sa/orders';
const clock = { nowMs: () => Date.now(), monotonicMs: () => 0 };
let stateDir = '';

const open = (protector: { protect(pem: string): string; unprotect(data: string): string } | null = null) =>
  CertificateAuthority.open({ stateDir, trustDomain: 'cluster.local', protector, clock });

const reverse = {
  protect: (pem: string) => [...pem].reverse().join(''),
  unprotect: (data: string) => [...data].reverse().join(''),
};

beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'identity-'));
});
afterEach(() => rm(stateDir, { recursive: true, force: true }));

describe('the CA on disk', () => {
  it('makes the root once and finds it again', async () => {
    const first = await open();
    const second = await open();
    expect(second.rootPem).toBe(first.rootPem);
    expect(await readdir(join(stateDir, 'ca'))).toEqual(['state.json']);
  });

  it('keeps the key readable for its owner only', async () => {
    await open();
    expect((await stat(join(stateDir, 'ca', 'state.json'))).mode & 0o777).toBe(0o600);
    expect((await stat(join(stateDir, 'ca'))).mode & 0o777).toBe(0o700);
  });

  it('seals the key as soon as there is a protector, and unseals it', async () => {
    const plain = await open();
    const file = join(stateDir, 'ca', 'state.json');
    expect(await readFile(file, 'utf8')).toContain('BEGIN PRIVATE KEY');
    const sealed = await open(reverse);
    expect(sealed.rootPem).toBe(plain.rootPem);
    expect(await readFile(file, 'utf8')).not.toContain('BEGIN PRIVATE KEY');
    expect((await open(reverse)).rootPem).toBe(plain.rootPem);
  });

  it('says what to do when the key cannot be unsealed', async () => {
    await open(reverse);
    await expect(open()).rejects.toMatchObject({
      code: 'IDENTITY_FAILED',
      message: expect.stringMatching(/sealed by the operating system/),
    });
    const broken = {
      ...reverse,
      unprotect: () => {
        throw new Error('locked');
      },
    };
    await expect(open(broken)).rejects.toMatchObject({
      code: 'IDENTITY_FAILED',
      message: expect.stringMatching(/cannot unseal/),
    });
  });

  it('refuses a damaged file instead of replacing the root', async () => {
    await open();
    await writeFile(join(stateDir, 'ca', 'state.json'), '{"formatVersion":1');
    await expect(open()).rejects.toMatchObject({
      code: 'IDENTITY_FAILED',
      message: expect.stringMatching(/is damaged/),
    });
  });
});

describe('workload certificates', () => {
  it('carry the SPIFFE ID that was decided, not the one the request asks for', async () => {
    const ca = await open();
    const { csrPem } = await createCsr({ uri: 'spiffe://cluster.local/ns/shop/sa/admin' });
    const issued = await ca.issue({ csrPem, spiffeId, commonName: 'orders.shop' });
    const detail = toCertificateDetail(issued.pem);
    expect(detail).toMatchObject({
      subject: 'CN=orders.shop',
      serial: issued.serial,
      sans: [spiffeId],
      isCa: false,
      keyType: 'EC P-256',
      signatureAlgorithm: 'ECDSA with SHA-256',
    });
    expect(Object.fromEntries(detail.extensions.map(({ name, critical, value }) => [name, [critical, value]]))).toEqual(
      {
        'Basic Constraints': [true, 'not a CA'],
        'Key Usage': [true, 'Digital Signature'],
        'Extended Key Usage': [false, 'TLS server, TLS client'],
        'Subject Alternative Name': [false, spiffeId],
        'Subject Key Identifier': [false, expect.stringMatching(/^([0-9A-F]{2}:){19}[0-9A-F]{2}$/)],
        'Authority Key Identifier': [
          false,
          toCertificateDetail(ca.rootPem).extensions.find((e) => e.oid === '2.5.29.14')?.value,
        ],
      },
    );
    const lifeMs = Date.parse(detail.notAfter) - Date.parse(detail.notBefore);
    expect(lifeMs).toBe(24 * 3_600_000 + 5 * 60_000);
  });

  it('have serials that differ', async () => {
    const ca = await open();
    const { csrPem } = await createCsr();
    const serials = await Promise.all(
      [1, 2, 3].map(async () => (await ca.issue({ csrPem, spiffeId, commonName: 'a' })).serial),
    );
    expect(new Set(serials).size).toBe(3);
    for (const serial of serials) expect(serial).toMatch(/^[4-7][0-9a-f]{31}$/);
  });

  it('are refused for a request that was changed on the way', async () => {
    const ca = await open();
    const { csrPem } = await createCsr();
    const der = Buffer.from(csrPem.replace(/-----.*?-----|\s/g, ''), 'base64');
    const at = der.indexOf('sidecar');
    der.write('Sidecar', at);
    const tampered = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
    await expect(ca.issue({ csrPem: tampered, spiffeId, commonName: 'a' })).rejects.toMatchObject({
      code: 'IDENTITY_FAILED',
      message: expect.stringMatching(/not signed by its own key/),
    });
  });

  it.each([
    ['another curve', async () => (await createCsr({ namedCurve: 'P-384' })).csrPem],
    ['text that is no request', async () => 'hello'],
  ])('are refused for %s', async (_name, makeCsr) => {
    const ca = await open();
    await expect(ca.issue({ csrPem: await makeCsr(), spiffeId, commonName: 'a' })).rejects.toMatchObject({
      code: 'IDENTITY_FAILED',
    });
  });

  it('are accepted by OpenSSL for both ends of TLS', async () => {
    const ca = await open();
    const issued = await ca.issue({ csrPem: (await createCsr()).csrPem, spiffeId, commonName: 'orders.shop' });
    const [root, leaf] = [join(stateDir, 'root.pem'), join(stateDir, 'leaf.pem')];
    await writeFile(root, ca.rootPem);
    await writeFile(leaf, issued.pem);
    for (const purpose of ['sslserver', 'sslclient']) {
      const out = execFileSync('openssl', [
        'verify',
        '-x509_strict',
        '-purpose',
        purpose,
        '-CAfile',
        root,
        leaf,
      ]).toString();
      expect(out).toContain('leaf.pem: OK');
    }
  });

  it('make a mutual TLS connection', async () => {
    const ca = await open();
    const { csrPem, privateKeyPem } = await createCsr();
    const issued = await ca.issue({ csrPem, spiffeId, commonName: 'orders.shop' });
    const tls = { key: privateKeyPem, cert: issued.pem, ca: ca.trustBundlePem };
    const server = createServer({ ...tls, requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.3' });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const accepted = once(server, 'secureConnection') as Promise<[TLSSocket]>;
    const client = connect({
      ...tls,
      port: (server.address() as AddressInfo).port,
      host: '127.0.0.1',
      checkServerIdentity: () => undefined,
    });
    await once(client, 'secureConnect');
    const [peer] = await accepted;
    expect(client.authorized).toBe(true);
    expect(peer.getPeerCertificate().subjectaltname).toBe(`URI:${spiffeId}`);
    client.destroy();
    peer.destroy();
    server.close();
  });
});

describe('root rotation', () => {
  it('trusts the next root before it signs and the old one until the end, across restarts', async () => {
    const ca = await open();
    const old = ca.rootPem;
    await ca.introduceRoot();
    expect(ca.rotation).toBe('introduced');
    expect(ca.trustBundlePem).toHaveLength(2);
    expect(ca.rootPem).toBe(old);
    const again = await open();
    expect(again.trustBundlePem).toEqual(ca.trustBundlePem);
    await again.activateRoot();
    expect(again.rotation).toBe('activated');
    expect(again.rootPem).not.toBe(old);
    expect(again.trustBundlePem).toContain(old);
    const last = await open();
    await last.finishRootRotation();
    expect(last.rotation).toBe('none');
    expect(last.trustBundlePem).toEqual([again.rootPem]);
  });
});

describe('verify', () => {
  const failing = (check: { checks: { name: string; ok: boolean }[] }) =>
    check.checks.filter((c) => !c.ok).map((c) => c.name);

  it('passes a good certificate and names each thing that is wrong with a bad one', async () => {
    const ca = await open();
    const issued = await ca.issue({ csrPem: (await createCsr()).csrPem, spiffeId, commonName: 'orders.shop' });
    const good = {
      certificatePem: issued.pem,
      trustBundlePem: ca.trustBundlePem,
      spiffeId,
      nowMs: Date.now(),
      serialInUse: issued.serial,
    };
    expect(verifyCertificate(good)).toMatchObject({ ok: true });
    expect(failing(verifyCertificate({ ...good, nowMs: Date.now() + 25 * 3_600_000 }))).toEqual(['validity']);
    expect(failing(verifyCertificate({ ...good, spiffeId: spiffeId.replace('orders', 'web') }))).toEqual(['identity']);
    expect(failing(verifyCertificate({ ...good, serialInUse: null }))).toEqual(['in use']);
    await rm(join(stateDir, 'ca'), { recursive: true });
    const other = await open();
    expect(failing(verifyCertificate({ ...good, trustBundlePem: other.trustBundlePem }))).toEqual([
      'chain',
      'root validity',
    ]);
    expect(failing(verifyCertificate({ ...good, certificatePem: ca.rootPem }))).toEqual([
      'identity',
      'not a CA',
      'usage',
      'in use',
    ]);
  });
});

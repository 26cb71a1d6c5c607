import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CertificateAuthority } from '../../../core/control-plane/identity/certificate-authority.ts';
import { CertificateBook } from '../../../core/control-plane/mesh/certificate-book.ts';
import type { CertificateAnswer, SidecarConnection } from '../../../core/control-plane/push/sidecar-connection.ts';
import { silentLogger } from '../../../core/shared/logger.ts';
import { createCsr } from '../../support/create-csr.ts';
import { fakeWorkload } from '../../support/fake-runtime.ts';

const hourMs = 3_600_000;
const web = fakeWorkload('web');
let stateDir = '';
let now = 0;
let book: CertificateBook;
let authority: CertificateAuthority;
const clock = { nowMs: () => now, monotonicMs: () => now };

/** A sidecar that takes every certificate; `trusted` counts the bundles it was sent without one. */
class FakeConnection {
  hello = { certificateSerial: null as string | null };
  installed = 0;
  trusted = 0;
  async installCertificate(_spiffeId: string, issue: (csrPem: string) => Promise<CertificateAnswer>): Promise<string> {
    await issue((await createCsr()).csrPem);
    this.installed += 1;
    return 'aa';
  }
  sendTrust(): void {
    this.trusted += 1;
  }
  get asConnection(): SidecarConnection {
    return this as unknown as SidecarConnection;
  }
}

beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'book-'));
  now = Date.now();
  authority = await CertificateAuthority.open({ stateDir, trustDomain: 'cluster.local', protector: null, clock });
  book = new CertificateBook({
    authority,
    clock,
    random: () => 0.5,
    log: silentLogger,
    workload: (id) => (id === web.id ? web : null),
    onChanged: () => undefined,
  });
});
afterEach(() => rm(stateDir, { recursive: true, force: true }));

/** The sidecar says that it uses the certificate it was given last. */
const confirm = (connection: FakeConnection) => {
  connection.hello.certificateSerial = book.show(web.id).serial;
};

describe('a certificate', () => {
  it('is due a little before half of its life', async () => {
    await book.rotate(web.id, new FakeConnection().asConnection);
    now += 11 * hourMs;
    expect(book.due()).toEqual([]);
    now += 0.5 * hourMs;
    expect(book.due()).toEqual([web.id]);
    await book.rotate(web.id, new FakeConnection().asConnection);
    expect(book.due()).toEqual([]);
    expect(book.show(web.id).rotations).toBe(1);
  });

  it('is due when the clock was set back to before it begins', async () => {
    await book.rotate(web.id, new FakeConnection().asConnection);
    now -= 4 * 60_000;
    expect(book.due()).toEqual([]);
    now -= hourMs;
    expect(book.due()).toEqual([web.id]);
    await book.rotate(web.id, new FakeConnection().asConnection);
    expect(book.due()).toEqual([]);
  });

  it('that the sidecar still has is kept at a new connection, with the bundle sent again', async () => {
    const connection = new FakeConnection();
    await book.ensure(web.id, connection.asConnection);
    confirm(connection);
    await book.ensure(web.id, connection.asConnection);
    expect([connection.installed, connection.trusted]).toEqual([1, 1]);
  });

  it.each([
    [
      'the sidecar has none',
      async (connection: FakeConnection) => {
        connection.hello.certificateSerial = null;
      },
    ],
    [
      'the sidecar has another',
      async (connection: FakeConnection) => {
        connection.hello.certificateSerial = 'ff';
      },
    ],
    [
      'it is past half of its life',
      async () => {
        now += 13 * hourMs;
      },
    ],
    [
      'it is of an earlier root',
      async () => {
        await authority.introduceRoot();
        await authority.activateRoot();
      },
    ],
  ])('is replaced at a new connection when %s', async (_when, change) => {
    const connection = new FakeConnection();
    await book.ensure(web.id, connection.asConnection);
    confirm(connection);
    await change(connection);
    await book.ensure(web.id, connection.asConnection);
    expect(connection.installed).toBe(2);
  });

  it('is not confirmed by a sidecar that says another serial', async () => {
    await book.rotate(web.id, new FakeConnection().asConnection);
    const failing = book.verify(web.id).checks.filter(({ ok }) => !ok);
    expect(failing.map(({ name }) => name)).toEqual(['in use']);
  });

  it('of a workload that is gone is refused', async () => {
    await expect(book.rotate('gone', new FakeConnection().asConnection)).rejects.toMatchObject({
      code: 'IDENTITY_FAILED',
    });
    expect(() => book.show('gone')).toThrow(/is gone/);
  });
});

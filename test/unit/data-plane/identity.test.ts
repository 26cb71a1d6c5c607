import { describe, expect, it } from 'vitest';
import { normalizeIp, toAddress } from '../../../core/data-plane/listener/original-destination.ts';
import { spiffeIdFromNames } from '../../../core/data-plane/tls/spiffe.ts';
import { WorkloadIdentity } from '../../../core/data-plane/tls/workload-identity.ts';
import { TestCa } from '../../support/test-ca.ts';

const orders = 'spiffe://cluster.local/ns/shop/sa/orders';

describe('WorkloadIdentity', () => {
  it('makes requests that others can verify, and puts the certificate in force', async () => {
    const ca = await TestCa.create();
    const identity = new WorkloadIdentity();
    const certificate = await ca.sign(await identity.createRequest('1', orders));
    expect(identity.context).toBeNull();
    const serial = identity.install('1', [certificate], [ca.rootPem]);
    expect(identity.serial).toBe(serial);
    expect(identity.generation).toBe(1);
    expect(identity.context).not.toBeNull();
  });

  it('refuses what does not fit the request and keeps the certificate it has', async () => {
    const ca = await TestCa.create();
    const identity = new WorkloadIdentity();
    const csr = await identity.createRequest('1', orders);
    const serial = identity.install('1', [await ca.sign(csr)], [ca.rootPem]);
    const next = await identity.createRequest('2', orders);
    expect(() => identity.install('3', [''], [ca.rootPem])).toThrow("no certificate request '3'");
    const foreignKey = await ca.sign(csr);
    expect(() => identity.install('2', [foreignKey], [ca.rootPem])).toThrow('another key');
    const foreignName = await ca.sign(next, 'spiffe://cluster.local/ns/shop/sa/web');
    expect(() => identity.install('2', [foreignName], [ca.rootPem])).toThrow(`not for ${orders}`);
    expect(identity.serial).toBe(serial);
    expect(identity.generation).toBe(1);
    expect(identity.install('2', [await ca.sign(next)], [ca.rootPem])).not.toBe(serial);
    expect(identity.generation).toBe(2);
  });

  it('takes a new trust bundle as a new generation of the same certificate', async () => {
    const ca = await TestCa.create();
    const other = await TestCa.create();
    const identity = new WorkloadIdentity();
    const serial = identity.install('1', [await ca.sign(await identity.createRequest('1', orders))], [ca.rootPem]);
    identity.trust([ca.rootPem, other.rootPem]);
    expect(identity.serial).toBe(serial);
    expect(identity.generation).toBe(2);
    expect(identity.material?.trustBundlePem).toHaveLength(2);
  });
});

describe('spiffeIdFromNames', () => {
  it.each([
    [`URI:${orders}`, orders],
    [`DNS:orders, URI:${orders}`, orders],
    [`URI:${orders}, URI:spiffe://cluster.local/ns/shop/sa/web`, null],
    ['URI:https://example.com', null],
    ['DNS:orders', null],
    [undefined, null],
  ])('%s gives %s', (names, id) => {
    expect(spiffeIdFromNames(names)).toBe(id);
  });
});

describe('toAddress', () => {
  it('reads IPv4 and IPv6 socket addresses as the kernel writes them', () => {
    const family = (value: number) => Buffer.from(new Uint8Array(new Uint16Array([value]).buffer));
    const v4 = Buffer.concat([family(2), Buffer.from([0x15, 0x38, 172, 18, 0, 5]), Buffer.alloc(20)]);
    expect(toAddress(v4)).toEqual({ host: '172.18.0.5', port: 5432 });
    const ip6 = Buffer.from('fd000000000000000000000000000005', 'hex');
    const v6 = Buffer.concat([family(10), Buffer.from([0x00, 0x50, 0, 0, 0, 0]), ip6, Buffer.alloc(4)]);
    expect(toAddress(v6)).toEqual({ host: 'fd00::5', port: 80 });
    expect(toAddress(Buffer.concat([family(1), Buffer.alloc(26)]))).toBeNull();
  });

  it('has one text per address', () => {
    expect(normalizeIp('::ffff:10.0.0.1')).toBe('10.0.0.1');
    expect(normalizeIp('FD00:0:0::1')).toBe('fd00::1');
    expect(normalizeIp('10.0.0.1')).toBe('10.0.0.1');
  });
});

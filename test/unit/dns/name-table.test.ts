import { describe, expect, it } from 'vitest';
import { compileNames, toAddressBytes } from '../../../core/data-plane/dns/name-table.ts';
import { parseResolvers } from '../../../core/data-plane/dns/resolvers.ts';
import { serviceOf } from '../../support/test-sidecar.ts';

describe('the table of names', () => {
  const services = [
    { ...serviceOf('a', 80, []), dns: [{ hosts: ['a.example'], addresses: ['10.0.0.1', 'fd00::1'] }] },
    {
      ...serviceOf('b', 80, []),
      dns: [
        { hosts: ['*.example'], addresses: ['10.0.0.2'] },
        { hosts: ['*.deep.example'], addresses: ['10.0.0.3'] },
        { hosts: ['a.example'], addresses: ['10.0.0.9'] },
      ],
    },
    serviceOf('c', 80, []),
  ];
  const found = (name: string) =>
    compileNames(services)
      .find(name)
      ?.map((bytes) => [...bytes].join('.'));

  it.each([
    ['a.example', ['10.0.0.1', '253.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1']],
    ['b.example', ['10.0.0.2']],
    ['x.y.example', ['10.0.0.2']],
    ['x.deep.example', ['10.0.0.3']],
    ['example', undefined],
    ['a.example.org', undefined],
    ['', undefined],
  ])('finds exact names before wildcards, and of those the longest: %s', (name, addresses) => {
    expect(found(name)).toEqual(addresses);
  });

  it.each([
    ['1.2.3.4', [1, 2, 3, 4]],
    ['::', new Array(16).fill(0)],
    ['::1', [...new Array(15).fill(0), 1]],
    ['fd00:1::2:3', [0xfd, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 3]],
    ['::ffff:1.2.3.4', [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4]],
    ['1:2:3:4:5:6:7:8', [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8]],
  ])('writes %s as bytes', (address, bytes) => {
    expect([...toAddressBytes(address)]).toEqual(bytes);
  });

  it('refuses what is no address', () => {
    expect(() => toAddressBytes('example')).toThrow("'example' is no IP address");
  });
});

describe('resolv.conf', () => {
  it('names servers in order, whatever else is in the file', () => {
    const text =
      '# by the engine\nnameserver 127.0.0.11\nsearch example.com\n nameserver  fd00::53 \nnameserver fe80::1%eth0\nnameserver x\noptions ndots:0';
    expect(parseResolvers(text).map(({ host, port }) => `${host} ${port}`)).toEqual(['127.0.0.11 53', 'fd00::53 53']);
  });
});

/** Endpoints given by name: each address of the name gets traffic, and what the name means may change. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { addressesInHosts, EndpointNames, type ResolvedName } from '../../../core/data-plane/dns/endpoint-names.ts';
import { eventually } from '../../support/eventually.ts';
import { emptyConfig, freePort, serviceOf, TestSidecar } from '../../support/test-sidecar.ts';

let closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.reverse()) await close();
  closers = [];
});

describe('names of endpoints', () => {
  const service = serviceOf('api', 80, [{ address: 'api.example' }, { address: '10.0.0.9' }]);
  const other = serviceOf('other', 80, [{ address: '10.0.0.8' }]);

  function setUp(answers: Record<string, (ResolvedName | null)[]>) {
    const asked: string[] = [];
    let changes = 0;
    const names = new EndpointNames({
      resolve: async (name) => {
        asked.push(name);
        const answer = answers[name]?.shift() ?? null;
        if (answer === null) throw new Error('nobody knows');
        return answer;
      },
      onChange: () => {
        changes += 1;
      },
    });
    closers.push(() => names.close());
    return { names, asked, changes: () => changes };
  }
  const addressesOf = (services: ReturnType<EndpointNames['apply']>) =>
    services.map(({ endpoints }) => endpoints.map(({ address }) => address));

  it('become endpoints, one for each address, under the id of the one that was given', async () => {
    const known = { addresses: ['10.1.0.2', '10.1.0.1', '10.1.0.2'], ttlMs: 60_000 };
    const { names, changes } = setUp({ 'api.example': [known] });
    expect(addressesOf(names.apply([service, other]))).toEqual([['api.example', '10.0.0.9'], ['10.0.0.8']]);
    await eventually('resolved', () => changes() === 1);
    const resolved = names.apply([service, other]);
    expect(addressesOf(resolved)).toEqual([['10.1.0.1', '10.1.0.2', '10.0.0.9'], ['10.0.0.8']]);
    expect(resolved[0]?.endpoints.map(({ id }) => id)).toEqual(['api-0', 'api-0', 'api-1']);
    expect(resolved[1]).toBe(other);
    // The same objects as long as nothing changes, so that nothing is compiled again.
    expect(names.apply([service, other])[0]).toBe(resolved[0]);
  });

  it('are asked for again, and keep what is known when nobody answers', async () => {
    const first = { addresses: ['10.1.0.1'], ttlMs: 0 };
    const second = { addresses: ['10.1.0.7'], ttlMs: 60_000 };
    const { names, asked, changes } = setUp({ 'api.example': [first, null, second] });
    names.apply([service]);
    await eventually('resolved', () => changes() === 1);
    await eventually('asked in vain', () => asked.length === 2);
    expect(addressesOf(names.apply([service]))).toEqual([['10.1.0.1', '10.0.0.9']]);
    await eventually('changed', () => changes() === 2);
    expect(addressesOf(names.apply([service]))).toEqual([['10.1.0.7', '10.0.0.9']]);
  });

  it('leave services without any as the list they were', () => {
    const { names, asked } = setUp({});
    const services = [other];
    expect(names.apply(services)).toBe(services);
    expect(asked).toEqual([]);
  });

  it('may stand in the hosts file', () => {
    const text =
      '127.0.0.1\tlocalhost\n# 10.0.0.1 api\n10.0.0.2 db api.example API # main\n::1 localhost ip6-localhost\nnothing';
    expect(addressesInHosts(text, 'api')).toEqual(['10.0.0.2']);
    expect(addressesInHosts(text, 'localhost')).toEqual(['127.0.0.1', '::1']);
    expect(addressesInHosts(text, 'nobody')).toEqual([]);
  });

  it('lead requests of a sidecar to what they mean', async () => {
    const server: Server = createServer((_request, response) => response.end('here')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    closers.push(() => server.close());
    const target = (server.address() as AddressInfo).port;
    const port = await freePort();
    const sidecar = await TestSidecar.start();
    closers.push(() => sidecar.close());
    const api = serviceOf('api', 80, [{ address: 'localhost', ports: [{ port: 80, targetPort: target }] }], 'http');
    const outbound = [{ listen: { host: '127.0.0.1', port }, service: 'api.shop', port: 80 }];
    const listeners = { kind: 'explicit' as const, inbound: [], outbound, httpProxy: null };
    await sidecar.control.push(emptyConfig('web', 1, { listeners, services: [api] }));
    for (let turn = 0; turn < 5; turn += 1) {
      const answer = await fetch(`http://127.0.0.1:${port}/`);
      expect([answer.status, await answer.text()]).toEqual([200, 'here']);
    }
  });
});

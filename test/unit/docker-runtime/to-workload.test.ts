import type Docker from 'dockerode';
import { describe, expect, it } from 'vitest';
import { toDnsLabel, toWorkload } from '../../../core/control-plane/runtime/docker/to-workload.ts';
import { DiscoveredWorkload } from '../../../core/model/workload.ts';

interface Container {
  readonly name?: string;
  readonly image?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly networkMode?: string;
  readonly exposed?: readonly string[];
  readonly published?: Readonly<Record<string, string>>;
  readonly networks?: Readonly<Record<string, object>>;
  readonly state?: object;
  readonly platform?: string;
}

const id = '0123456789abcdef'.repeat(4);

/** What the engine says of a container, as far as it is read. */
function inspected(container: Container): Docker.ContainerInspectInfo {
  const {
    name = 'web',
    image = 'shop/web',
    labels = {},
    networkMode = 'shop',
    exposed = [],
    published = {},
  } = container;
  const ports = Object.fromEntries(exposed.map((port) => [port, null] as [string, object[] | null]));
  for (const [port, HostPort] of Object.entries(published)) ports[port] = [{ HostIp: '0.0.0.0', HostPort }];
  return {
    Id: id,
    Name: `/${name}`,
    Platform: container.platform ?? 'linux',
    State: {
      Running: true,
      Paused: false,
      Restarting: false,
      ExitCode: 0,
      StartedAt: '2026-01-02T03:04:05.678901234Z',
      ...container.state,
    },
    Config: { Image: image, Labels: labels, ExposedPorts: Object.fromEntries(exposed.map((port) => [port, {}])) },
    HostConfig: { NetworkMode: networkMode },
    NetworkSettings: {
      Ports: ports,
      Networks: container.networks ?? { shop: { IPAddress: '172.20.0.2', Aliases: ['web'] } },
    },
  } as unknown as Docker.ContainerInspectInfo;
}

const toNames = (container: Container) => {
  const { service, namespace, version } = toWorkload(inspected(container), 'running');
  return { service, namespace, version };
};
const compose = (service: string) => ({ 'com.docker.compose.project': 'shop', 'com.docker.compose.service': service });

describe('name, namespace and version of a container', () => {
  const table: readonly (readonly [string, Container, ReturnType<typeof toNames>])[] = [
    [
      'a plain container is called by its name',
      { name: 'web' },
      { service: 'web', namespace: 'default', version: null },
    ],
    [
      'compose labels win over the name',
      { name: 'shop-web-1', labels: compose('web') },
      { service: 'web', namespace: 'shop', version: null },
    ],
    [
      'a suffix -v2 of the container is the version',
      { name: 'payments-v2' },
      { service: 'payments', namespace: 'default', version: 'v2' },
    ],
    [
      'a suffix _v1 of the compose service is the version',
      { labels: compose('payments_v1') },
      { service: 'payments', namespace: 'shop', version: 'v1' },
    ],
    [
      'a suffix .v1.2 is the version',
      { name: 'payments.v1.2' },
      { service: 'payments', namespace: 'default', version: 'v1.2' },
    ],
    [
      'a name that only ends like a version keeps it',
      { name: 'ipv4' },
      { service: 'ipv4', namespace: 'default', version: null },
    ],
    [
      'the suffix wins over the tag',
      { name: 'payments-v2', image: 'payments:3.1' },
      { service: 'payments', namespace: 'default', version: 'v2' },
    ],
    [
      'the image tag is the version',
      { image: 'localhost:5000/shop/web:3.1-alpine' },
      { service: 'web', namespace: 'default', version: '3.1-alpine' },
    ],
    [
      'the port of a registry is no tag',
      { image: 'localhost:5000/shop/web' },
      { service: 'web', namespace: 'default', version: null },
    ],
    ['latest says nothing', { image: 'web:latest' }, { service: 'web', namespace: 'default', version: null }],
    ['a digest says nothing', { image: `web@sha256:${id}` }, { service: 'web', namespace: 'default', version: null }],
    [
      'the tag before a digest counts',
      { image: `web:1.2@sha256:${id}` },
      { service: 'web', namespace: 'default', version: '1.2' },
    ],
    ['an image id says nothing', { image: `sha256:${id}` }, { service: 'web', namespace: 'default', version: null }],
    [
      'labels override all of them',
      {
        name: 'payments-v2',
        labels: {
          ...compose('x-v9'),
          'dev.meshdesk.service': 'pay',
          'dev.meshdesk.version': 'canary',
          'dev.meshdesk.namespace': 'prod',
        },
      },
      { service: 'pay', namespace: 'prod', version: 'canary' },
    ],
    [
      'what DNS labels do not allow becomes a hyphen',
      { name: 'My_Web.App' },
      { service: 'my-web-app', namespace: 'default', version: null },
    ],
  ];

  it.each(table)('%s', (_what, container, expected) => {
    expect(toNames(container)).toEqual(expected);
  });

  it('makes DNS labels of 1 to 63 characters without hyphens at the ends', () => {
    for (const text of ['___', '-a-', 'A'.repeat(80), `${'a'.repeat(62)}_b`, 'x y', '']) {
      expect(toDnsLabel(text), text).toMatch(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
    }
  });
});

describe('ports of a container', () => {
  const toPorts = (container: Container) => toWorkload(inspected(container), '').ports;

  it('are the exposed and the published ones, by number, without UDP', () => {
    const ports = toPorts({ exposed: ['9000/tcp', '53/udp', '8080/tcp'], published: { '8080/tcp': '32768' } });
    expect(ports).toEqual([
      { port: 8080, protocol: 'auto', publishedPort: 32_768 },
      { port: 9000, protocol: 'auto', publishedPort: null },
    ]);
  });

  it.each([5432, 6379, 3306, 27_017])('%i is TCP without being declared', (port) => {
    expect(toPorts({ exposed: [`${port}/tcp`] })).toEqual([{ port, protocol: 'tcp', publishedPort: null }]);
  });

  it('take a declared protocol, and a declared port need not be exposed', () => {
    const labels = {
      'dev.meshdesk.protocol.6379': 'http',
      'dev.meshdesk.protocol.7000': 'tcp',
      'dev.meshdesk.protocol.8080': 'nonsense',
    };
    expect(toPorts({ exposed: ['6379/tcp', '8080/tcp'], labels })).toEqual([
      { port: 6379, protocol: 'http', publishedPort: null },
      { port: 7000, protocol: 'tcp', publishedPort: null },
      { port: 8080, protocol: 'auto', publishedPort: null },
    ]);
  });

  it('take what a label asks of the PROXY protocol; a port that is sent it is TCP unless declared', () => {
    const labels = {
      'dev.meshdesk.proxy-protocol.8080': 'accept',
      'dev.meshdesk.proxy-protocol.8081': 'send-v2',
      'dev.meshdesk.proxy-protocol.8082': 'accept,send-v1',
      'dev.meshdesk.protocol.8082': 'http',
      'dev.meshdesk.proxy-protocol.8083': 'perhaps',
    };
    expect(toPorts({ labels })).toEqual([
      { port: 8080, protocol: 'auto', publishedPort: null, proxyProtocol: { accept: true, send: null } },
      { port: 8081, protocol: 'tcp', publishedPort: null, proxyProtocol: { accept: false, send: 'v2' } },
      { port: 8082, protocol: 'http', publishedPort: null, proxyProtocol: { accept: true, send: 'v1' } },
      { port: 8083, protocol: 'auto', publishedPort: null },
    ]);
  });

  it('leaves out declared ports that are none', () => {
    expect(toPorts({ labels: { 'dev.meshdesk.protocol.x': 'tcp', 'dev.meshdesk.protocol.70000': 'tcp' } })).toEqual([]);
  });
});

describe('addresses of a container', () => {
  const toAddresses = (networks: Record<string, object>) => toWorkload(inspected({ networks }), '').addresses;

  it('carry the names that the network’s DNS answers to', () => {
    const [address] = toAddresses({
      shop: { IPAddress: '172.20.0.2', Aliases: ['Store', 'web'], DNSNames: ['web', 'frontend'] },
    });
    expect(address).toEqual({
      network: 'shop',
      ip: '172.20.0.2',
      aliases: ['web', 'store', 'frontend', id.slice(0, 12)],
    });
  });

  it('have no names on the default bridge, which has no DNS', () => {
    expect(toAddresses({ bridge: { IPAddress: '172.17.0.2', Aliases: null } })).toEqual([
      { network: 'bridge', ip: '172.17.0.2', aliases: [] },
    ]);
  });

  it('are one per address family and network', () => {
    const found = toAddresses({
      a: { IPAddress: '10.0.0.2', GlobalIPv6Address: 'fd00::2', Aliases: [] },
      b: { IPAddress: '10.1.0.2', Aliases: [] },
      gone: { IPAddress: '' },
    });
    expect(found.map(({ network, ip }) => `${network} ${ip}`)).toEqual(['a 10.0.0.2', 'a fd00::2', 'b 10.1.0.2']);
  });
});

describe('a container that cannot be attached', () => {
  const table: readonly (readonly [string, Container, RegExp])[] = [
    ['HOST_NETWORK', { networkMode: 'host' }, /network of its own/],
    ['NO_NETWORK', { networkMode: 'none' }, /no network/],
    ['SHARED_NETWORK', { networkMode: `container:${id}` }, /0123456789ab.*attach that one/],
    ['WINDOWS_CONTAINER', { platform: 'windows' }, /Windows/],
  ];

  it.each(table)('%s: says so', (code, container, message) => {
    const { notAttachable } = toWorkload(inspected(container), '');
    expect(notAttachable?.code).toBe(code);
    expect(notAttachable?.message).toMatch(message);
  });

  it.each(['bridge', 'default', 'shop'])('is not one on the network %s', (networkMode) => {
    expect(toWorkload(inspected({ networkMode }), '').notAttachable).toBeNull();
  });
});

describe('state of a container', () => {
  it.each([
    ['running', {}],
    ['paused', { Paused: true }],
    ['restarting', { Restarting: true }],
    ['exited', { Running: false, ExitCode: 137 }],
  ])('%s', (expected, state) => {
    expect(toWorkload(inspected({ state }), '').state).toBe(expected);
  });

  it('takes the start as the incarnation, and fits the model', () => {
    const workload = toWorkload(inspected({ exposed: ['80/tcp'] }), 'running');
    expect(workload).toMatchObject({
      incarnation: '2026-01-02T03:04:05.678901234Z',
      startedAtMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
    });
    expect(DiscoveredWorkload.parse(workload)).toEqual(workload);
  });

  it('has no start when it never ran', () => {
    expect(
      toWorkload(inspected({ state: { Running: false, StartedAt: '0001-01-01T00:00:00Z' } }), '').startedAtMs,
    ).toBeNull();
  });
});

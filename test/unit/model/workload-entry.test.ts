import { describe, expect, it } from 'vitest';
import { parseResources } from '../../../core/model/parse-resources.ts';
import { printResource } from '../../../core/model/print-resources.ts';
import { type PortProtocol, toPortProtocol } from '../../../core/model/protocol.ts';
import { type HostProcess, toHostProcess, WorkloadEntry } from '../../../core/model/workload-entry.ts';

const yaml = (spec: string, metadata = '{ name: orders-v2, namespace: shop }') => `apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: ${metadata}
spec:
  ${spec}
`;
const parse = (spec: string, metadata?: string) => parseResources(yaml(spec, metadata), 'orders.yaml');
const processOf = (spec: string, metadata?: string): HostProcess | null => {
  const { resources, findings } = parse(spec, metadata);
  expect(findings.filter(({ severity }) => severity === 'error')).toEqual([]);
  return toHostProcess(WorkloadEntry.parse(resources[0]));
};

describe('a WorkloadEntry', () => {
  it('with a loopback address declares a host process', () => {
    const declared = processOf(
      '{ address: 127.0.0.1, ports: { http: 5000, tcp-ledger: 5001, main: 5002 }, labels: { app: orders, version: v2, team: a }, serviceAccount: books }',
    );
    expect(declared).toEqual({
      name: 'orders-v2',
      namespace: 'shop',
      service: 'orders',
      version: 'v2',
      host: '127.0.0.1',
      ports: [
        { port: 5000, protocol: 'http' },
        { port: 5001, protocol: 'tcp' },
        { port: 5002, protocol: 'auto' },
      ],
      labels: { app: 'orders', version: 'v2', team: 'a' },
      serviceAccount: 'books',
      locality: '',
      weight: 1,
    });
  });

  const conversions: [string, string, string | undefined, Partial<HostProcess>][] = [
    ['the service from the name without a version', 'address: "::1"', undefined, { service: 'orders', version: null }],
    [
      'a name that is only like a version',
      'address: 127.0.0.1',
      '{ name: v2 }',
      { service: 'v2', namespace: 'default' },
    ],
    [
      'labels of the metadata, those of the spec first',
      '{ address: 127.0.0.1, labels: { version: v3 } }',
      '{ name: a, labels: { app: b, version: v1 } }',
      { service: 'b', version: 'v3' },
    ],
    ['no ports: it only calls others', 'address: localhost', undefined, { ports: [], host: 'localhost' }],
    [
      'the first name of a port that has two',
      '{ address: 127.1.2.3, ports: { http: 80, tcp-same: 80 } }',
      undefined,
      { host: '127.1.2.3', ports: [{ port: 80, protocol: 'http' }] },
    ],
    ['localhost in any case', 'address: LOCALHOST', undefined, { host: 'localhost' }],
  ];
  it.each(conversions)('gives %s', (_what, spec, metadata, expected) => {
    expect(processOf(spec, metadata)).toMatchObject(expected);
  });

  it.each(['10.0.0.1', 'db.example.com', '::2', 'unix:///tmp/a.sock'])(
    'of another machine is kept, not applied, and says what would be: %s',
    (address) => {
      const { resources, findings } = parse(`address: "${address}"`);
      expect(resources).toHaveLength(1);
      expect(findings).toMatchObject([{ code: 'NOT_APPLIED', severity: 'info', line: 5, column: 3 }]);
      expect(findings[0]?.hint).toContain('127.0.0.1');
      expect(toHostProcess(WorkloadEntry.parse(resources[0]))).toBeNull();
    },
  );

  it('says where it is and what its share is; its network is kept only', () => {
    const { resources, findings } = parse('{ address: 127.0.0.1, weight: 3, network: lan, locality: eu/1 }');
    expect(findings.map(({ code, message }) => `${code} ${message}`).sort()).toEqual([
      'NOT_APPLIED spec.network is kept and exported, not applied here',
    ]);
    const [entry] = resources;
    if (entry === undefined) throw new Error('it was not read');
    expect(parseResources(printResource(entry), null).resources).toEqual([entry]);
  });

  it.each([
    ['no address', 'labels: {}', 'spec.address: is needed'],
    ['a port that is none', '{ address: 127.0.0.1, ports: { http: 70000 } }', 'spec.ports.http'],
    ['a list of ports', '{ address: 127.0.0.1, ports: [80] }', 'spec.ports'],
    ['a misspelt field', '{ address: 127.0.0.1, port: 80 }', 'spec.port is not a field of this API'],
  ])('is refused with %s', (_what, spec, message) => {
    const { resources, findings } = parse(spec);
    expect(resources).toEqual([]);
    expect(findings[0]).toMatchObject({ severity: 'error', file: 'orders.yaml' });
    expect(findings[0]?.message).toContain(message);
  });
});

const protocols: [string, PortProtocol][] = [
  ['http', 'http'],
  ['HTTP-web', 'http'],
  ['http2', 'http2'],
  ['http2-x', 'http2'],
  ['grpc', 'grpc'],
  ['grpc-api', 'grpc'],
  ['grpc-web', 'http'],
  ['grpc-web-x', 'http'],
  ['https', 'tls'],
  ['tls-x', 'tls'],
  ['tcp-ledger', 'tcp'],
  ['redis', 'tcp'],
  ['mysql', 'tcp'],
  ['httpx', 'auto'],
  ['web-http', 'auto'],
  ['', 'auto'],
];
it.each(protocols)('the port name %j means %s', (name, protocol) => {
  expect(toPortProtocol(name)).toBe(protocol);
});

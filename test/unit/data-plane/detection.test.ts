import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ConnectionHandler, DownstreamContext } from '../../../core/data-plane/connection.ts';
import { compileConfig } from '../../../core/data-plane/http/compiled-config.ts';
import {
  alwaysTcpPorts,
  decide,
  type Expectation,
  type Sight,
  sightRows,
  type Verdict,
  waitFor,
  waitRows,
} from '../../../core/data-plane/listener/detection.ts';
import { Intake } from '../../../core/data-plane/listener/intake.ts';
import { quietClientMs } from '../../../core/data-plane/listener/read-first-bytes.ts';
import { meshAlpn } from '../../../core/model/identity.ts';
import type { PortProtocol } from '../../../core/model/protocol.ts';
import { clientHello } from '../../support/client-hello.ts';
import { emptyConfig, serviceOf } from '../../support/test-sidecar.ts';

const first: Readonly<Record<Exclude<Sight, 'quiet'>, Buffer>> = {
  http: Buffer.from('GET / HTTP/1.1\r\n', 'latin1'),
  h2: Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1'),
  'mesh-tls': clientHello({ alpn: [meshAlpn.tcp], serverName: 'orders' }),
  tls: clientHello({ alpn: ['h2', 'http/1.1'], serverName: 'orders' }),
  tcp: Buffer.from('\x00\x00\x00\x08\x04\xd2\x16\x2f', 'latin1'),
};
const sights = [...(Object.keys(first) as Exclude<Sight, 'quiet'>[]), 'quiet' as const];
const protocols: readonly PortProtocol[] = ['auto', 'http', 'http2', 'grpc', 'tls', 'tcp'];
const ports = [8080, 6379];
const expectations: Expectation[] = protocols.flatMap((declared) =>
  ports.flatMap((port) => [
    { direction: 'outbound' as const, declared, port, mtls: 'DISABLE' as const },
    ...(['DISABLE', 'PERMISSIVE', 'STRICT'] as const).map((mtls) => ({
      direction: 'inbound' as const,
      declared,
      port,
      mtls,
    })),
  ]),
);
const describeOf = ({ direction, declared, port, mtls }: Expectation) => `${direction} ${declared} ${port} ${mtls}`;

/** A client that has connected: what is pushed is what it says. */
class Client extends Duplex {
  override _read(): void {
    // Bytes are pushed by the test.
  }
  override _write(_chunk: Buffer, _encoding: string, done: () => void): void {
    done();
  }
}

interface Served {
  readonly by: Verdict | 'mux';
  readonly head: string;
  readonly serverName: string | undefined;
}

/** The real intake with handlers that note what they are given. */
function startIntake(expectation: Expectation) {
  const served: Served[] = [];
  const handler = (by: Served['by']): ConnectionHandler => ({
    serve: (_socket, head, context) =>
      served.push({ by, head: head.toString('latin1'), serverName: context.serverName }),
    active: 0,
    drain: () => undefined,
    undrain: () => undefined,
    closeAll: () => undefined,
  });
  const { declared, port, mtls, direction } = expectation;
  const config = compileConfig(
    emptyConfig('web', 1, {
      services: [{ ...serviceOf('orders', port, [{}]), ports: [{ port, protocol: declared }] }],
      inbound: { mtls, ports: [{ port, protocol: declared, mtls }] },
    }),
  );
  const intake = new Intake({
    config: () => config,
    http: handler('http'),
    http2: handler('h2'),
    mux: handler('mux'),
    tcp: {
      ...handler('tcp'),
      serveQuiet: () => {
        served.push({ by: 'ask-server', head: '', serverName: undefined });
        return null;
      },
    },
    terminator: {
      terminate: (_socket, head) =>
        served.push({ by: 'terminate', head: head.toString('latin1'), serverName: undefined }),
    },
    edge: () => ({
      flag: (flag) => served.push({ by: flag === 'NR' ? 'refuse' : 'tcp', head: '', serverName: undefined }),
      connectionOpened: () => undefined,
      connectionClosed: () => undefined,
      bytes: () => undefined,
      request: () => undefined,
    }),
    logger: { info: () => undefined, warn: () => undefined, error: () => undefined },
  });
  const context: DownstreamContext = {
    direction,
    originalDestination: null,
    remote: { host: '10.0.0.9', port: 4711 },
    service: direction === 'outbound' ? { key: 'orders.shop', port } : null,
    target: direction === 'inbound' ? { host: '127.0.0.1', port, servicePort: port } : null,
    forwardProxy: false,
    peerSpiffeId: null,
  };
  const client = new Client();
  client.on('error', () => undefined);
  client.pause();
  intake[direction](client as unknown as Socket, context);
  return { client, served };
}

/** Two ways at every byte, and byte by byte. */
function splits(bytes: Buffer): Uint8Array[][] {
  const ways: Uint8Array[][] = [[...bytes].map((byte) => Buffer.of(byte))];
  for (let at = 1; at < bytes.length; at += 1) ways.push([bytes.subarray(0, at), bytes.subarray(at)]);
  return ways;
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('the detection table', () => {
  it('has a use for every row', () => {
    const used = new Set<unknown>();
    for (const expectation of expectations) {
      used.add(waitFor(expectation));
      for (const sight of sights) used.add(decide(expectation, sight));
    }
    expect([...waitRows, ...sightRows].filter((row) => !used.has(row))).toEqual([]);
  });

  it('says why, row by row and port by port', () => {
    for (const { because } of [...waitRows, ...sightRows]) expect(because).not.toBe('');
    for (const because of alwaysTcpPorts.values()) expect(because).not.toBe('');
  });

  const verdict = (expectation: Partial<Expectation>, sight: Sight) =>
    decide({ direction: 'inbound', declared: 'auto', port: 8080, mtls: 'PERMISSIVE', ...expectation }, sight).verdict;

  it.each<[Partial<Expectation>, Sight, Verdict]>([
    [{}, 'http', 'http'],
    [{}, 'h2', 'h2'],
    [{}, 'mesh-tls', 'terminate'],
    [{}, 'tls', 'tcp'],
    [{}, 'tcp', 'tcp'],
    [{}, 'quiet', 'ask-server'],
    [{ direction: 'outbound', mtls: 'DISABLE' }, 'mesh-tls', 'tcp'],
    [{ port: 6379 }, 'http', 'tcp'],
    [{ port: 6379, declared: 'http' }, 'http', 'http'],
    [{ port: 6379 }, 'mesh-tls', 'terminate'],
    [{ declared: 'tcp' }, 'h2', 'tcp'],
    [{ declared: 'http' }, 'tcp', 'http'],
    [{ declared: 'grpc' }, 'h2', 'h2'],
    [{ declared: 'http2' }, 'http', 'http'],
    [{ mtls: 'STRICT' }, 'http', 'refuse'],
    [{ mtls: 'STRICT' }, 'tls', 'refuse'],
    [{ mtls: 'STRICT' }, 'quiet', 'refuse'],
    [{ mtls: 'STRICT', declared: 'tcp' }, 'mesh-tls', 'terminate'],
    [{ mtls: 'DISABLE' }, 'mesh-tls', 'tcp'],
  ])('%j that sees %s: %s', (expectation, sight, wanted) => {
    expect(verdict(expectation, sight)).toBe(wanted);
  });
});

describe('the intake follows the table', () => {
  const cases = expectations.flatMap((expectation) => sights.map((sight) => ({ expectation, sight })));

  it.each(cases.map(({ expectation, sight }) => [describeOf(expectation), sight, expectation] as const))(
    '%s, client says %s, however it is split',
    async (_name, sight, expectation) => {
      const { wait } = waitFor(expectation);
      const wanted = wait === 'none' ? 'tcp' : decide(expectation, sight).verdict;
      for (const parts of sight === 'quiet' ? [[]] : splits(first[sight])) {
        const { client, served } = startIntake(expectation);
        for (const part of parts) {
          client.push(part);
          await turn();
        }
        if (sight === 'quiet' && wait !== 'none') {
          vi.advanceTimersByTime(wait === 'brief' ? quietClientMs : 10_000);
          await turn();
          // Nobody who may only be slow is decided about: clients of declared HTTP have all the time they want.
          expect(served.map(({ by }) => by)).toEqual(wait === 'client' ? [] : [wanted]);
        } else {
          expect(served.map(({ by }) => by)).toEqual([wanted]);
        }
        client.destroy();
      }
    },
  );

  it('hands over every byte it has read, and the server name of a TLS client', async () => {
    for (const parts of splits(first.tls)) {
      const { client, served } = startIntake({ direction: 'outbound', declared: 'auto', port: 8080, mtls: 'DISABLE' });
      for (const part of parts) {
        client.push(part);
        await turn();
      }
      const rest = (client.read() as Buffer | null)?.toString('latin1') ?? '';
      expect(served).toEqual([{ by: 'tcp', head: expect.any(String), serverName: 'orders' }]);
      expect(served[0]?.head + rest).toBe(first.tls.toString('latin1'));
    }
  });
});

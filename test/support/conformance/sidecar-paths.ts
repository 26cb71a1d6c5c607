/**
 * The ways a request takes through sidecars: the real program in this process, listeners on loopback, nothing known about
 * what is inside. Every path ends at the same kind of upstream.
 *
 *   outbound  client -> sidecar -> upstream
 *   inbound   client -> sidecar of the upstream -> upstream
 *   pair      client -> sidecar -> mutual TLS -> sidecar of the upstream -> upstream
 *   mesh      client with a certificate of the mesh -> mutual TLS -> sidecar of the upstream -> upstream
 */
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { WorkloadIdentity } from '../../../core/data-plane/tls/workload-identity.ts';
import { meshAlpn } from '../../../core/model/identity.ts';
import type { SidecarConfig } from '../../../core/model/sidecar-config.ts';
import type { ControlClient } from '../control-client.ts';
import { TestCa } from '../test-ca.ts';
import { emptyConfig, freePort, serviceOf, spiffeIdOfName, TestSidecar } from '../test-sidecar.ts';
import { RawClient } from './raw-client.ts';

export const pathNames = ['outbound', 'inbound', 'pair'] as const;
export type PathName = (typeof pathNames)[number];
/** Whoever holds a certificate may be an attacker too. */
export type RequestPathName = PathName | 'mesh';

/** What a sidecar has to be for this, in whichever process it runs. */
interface AnySidecar {
  readonly control: ControlClient;
  close(): Promise<void>;
}

type StartSidecar<Sidecar> = (options: { ca?: TestCa; name?: string }) => Promise<Sidecar>;

export interface SidecarPath<Sidecar = AnySidecar> {
  /** Where clients connect. */
  readonly port: number;
  /** A client of this path. */
  connect(): Promise<RawClient>;
  readonly sidecars: readonly Sidecar[];
  close(): Promise<void>;
}

const servicePort = 8_080;
const at = (port: number) => ({ host: '127.0.0.1', port });

function outboundConfig(listenPort: number, upstreamPort: number, mesh: boolean): SidecarConfig {
  const endpoint = { mesh, ports: [{ port: servicePort, targetPort: upstreamPort }] };
  return emptyConfig('web', 1, {
    listeners: {
      kind: 'explicit',
      inbound: [],
      outbound: [{ listen: at(listenPort), service: 'orders.shop', port: servicePort }],
      httpProxy: null,
    },
    services: [serviceOf('orders', servicePort, [endpoint], 'http')],
  });
}

function inboundConfig(listenPort: number, upstreamPort: number, mtls: 'DISABLE' | 'STRICT'): SidecarConfig {
  return emptyConfig('orders', 1, {
    listeners: {
      kind: 'explicit',
      inbound: [{ listen: at(listenPort), target: at(upstreamPort), port: servicePort }],
      outbound: [],
      httpProxy: null,
    },
    inbound: { mtls, ports: [{ port: servicePort, protocol: 'http', mtls }] },
  });
}

async function configured<Sidecar extends AnySidecar>(sidecar: Sidecar, config: SidecarConfig): Promise<Sidecar> {
  const answer = await sidecar.control.push(config);
  if (answer.type !== 'ack') throw new Error(`the sidecar refused its configuration: ${JSON.stringify(answer)}`);
  return sidecar;
}

/** Connects as a sidecar of an older version would, with HTTP/1.1 inside. */
async function meshConnector(ca: TestCa, port: number): Promise<() => Promise<RawClient>> {
  const identity = new WorkloadIdentity();
  const name = spiffeIdOfName('web');
  identity.install('1', [await ca.sign(await identity.createRequest('1', name))], [ca.rootPem]);
  const { material } = identity;
  if (material === null) throw new Error('there is no certificate');
  const secrets = { key: material.keyPem, cert: material.chainPem.join(''), ca: ca.rootPem };
  return async () => {
    const transport = connectTcp({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    const socket = connectTls({
      ...secrets,
      socket: transport,
      ALPNProtocols: [meshAlpn.http],
      checkServerIdentity: () => undefined,
    });
    socket.allowHalfOpen = true;
    await once(socket, 'secureConnect');
    return new RawClient(socket);
  };
}

/** A path through sidecars of this process. */
export function openPath(name: RequestPathName, upstreamPort: number): Promise<SidecarPath> {
  return openPathOf(name, upstreamPort, (options) => TestSidecar.start(options));
}

export async function openPathOf<Sidecar extends AnySidecar>(
  name: RequestPathName,
  upstreamPort: number,
  startSidecar: StartSidecar<Sidecar>,
): Promise<SidecarPath<Sidecar>> {
  const sidecars: Sidecar[] = [];
  const start = async (config: SidecarConfig, options: Parameters<StartSidecar<Sidecar>>[0] = {}) => {
    sidecars.push(await configured(await startSidecar(options), config));
  };
  const port = await freePort();
  let connect = () => RawClient.open(port);
  if (name === 'outbound') await start(outboundConfig(port, upstreamPort, false));
  if (name === 'inbound') await start(inboundConfig(port, upstreamPort, 'DISABLE'));
  if (name === 'pair') {
    const ca = await TestCa.create();
    const innerPort = await freePort();
    await start(inboundConfig(innerPort, upstreamPort, 'STRICT'), { ca, name: 'orders' });
    await start(outboundConfig(port, innerPort, true), { ca, name: 'web' });
  }
  if (name === 'mesh') {
    const ca = await TestCa.create();
    await start(inboundConfig(port, upstreamPort, 'STRICT'), { ca, name: 'orders' });
    connect = await meshConnector(ca, port);
  }
  return {
    port,
    connect,
    sidecars,
    close: async () => {
      for (const sidecar of sidecars) await sidecar.close();
    },
  };
}

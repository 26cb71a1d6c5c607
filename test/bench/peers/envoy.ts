import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findInPath } from '../../../core/control-plane/runtime/node-program.ts';
import { freePort } from '../../support/test-sidecar.ts';
import { type IdentityFiles, writeIdentities } from './identities.ts';
import type { Peer, PeerContext, Role, RunningPeer } from './peer.ts';
import { type ProxyCommand, startProxies } from './start-proxies.ts';

type Json = Readonly<Record<string, unknown>>;
const typed = (name: string, fields: Json): Json => ({ '@type': `type.googleapis.com/envoy.${name}`, ...fields });
const tlsPackage = 'extensions.transport_sockets.tls.v3';

const commonTls = ({ ca, certificate, key }: IdentityFiles, alpn: string): Json => ({
  alpn_protocols: [alpn],
  tls_params: { tls_minimum_protocol_version: 'TLSv1_3', tls_maximum_protocol_version: 'TLSv1_3' },
  tls_certificates: [{ certificate_chain: { filename: certificate }, private_key: { filename: key } }],
  validation_context: { trusted_ca: { filename: ca } },
});

interface Side {
  readonly listen: number;
  readonly upstream: number;
  readonly listenTls?: Json;
  readonly upstreamTls?: Json;
  readonly codec?: 'HTTP1' | 'HTTP2';
  readonly upstreamHttp2?: boolean;
  readonly insertId?: boolean;
  readonly tcp?: boolean;
  readonly retries?: boolean;
}

/** Its own counters on, as in a mesh; no access log, no admin port. */
/** As Istio has it: 25 ms and more between two tries. */
const retryPolicy = { retry_policy: { retry_on: '5xx', num_retries: 3, retry_back_off: { base_interval: '0.025s' } } };

function toFilter({ codec = 'HTTP1', insertId = false, tcp = false, retries = false }: Side): Json {
  if (tcp) {
    return {
      name: 'tcp',
      typed_config: typed('extensions.filters.network.tcp_proxy.v3.TcpProxy', {
        stat_prefix: 'tcp',
        cluster: 'application',
      }),
    };
  }
  return {
    name: 'http',
    typed_config: typed('extensions.filters.network.http_connection_manager.v3.HttpConnectionManager', {
      stat_prefix: 'http',
      codec_type: codec,
      generate_request_id: insertId,
      route_config: {
        virtual_hosts: [
          {
            name: 'all',
            domains: ['*'],
            routes: [
              {
                match: { prefix: '/' },
                route: { cluster: 'application', timeout: '0s', ...(retries ? retryPolicy : {}) },
              },
            ],
          },
        ],
      },
      http_filters: [{ name: 'router', typed_config: typed('extensions.filters.http.router.v3.Router', {}) }],
    }),
  };
}

function toBootstrap(side: Side): Json {
  const at = (port: number) => ({ socket_address: { address: '127.0.0.1', port_value: port } });
  const { listenTls, upstreamTls, upstreamHttp2 = false } = side;
  const socket = (name: string, fields: Json | undefined) =>
    fields === undefined
      ? {}
      : { transport_socket: { name: 'tls', typed_config: typed(`${tlsPackage}.${name}`, fields) } };
  const protocol = { [upstreamHttp2 ? 'http2_protocol_options' : 'http_protocol_options']: {} };
  const limits = { max_connections: 20_000, max_pending_requests: 20_000, max_requests: 20_000, max_retries: 20_000 };
  return {
    static_resources: {
      listeners: [
        {
          name: 'client',
          address: at(side.listen),
          filter_chains: [{ filters: [toFilter(side)], ...socket('DownstreamTlsContext', listenTls) }],
        },
      ],
      clusters: [
        {
          name: 'application',
          type: 'STATIC',
          connect_timeout: '5s',
          circuit_breakers: { thresholds: [limits] },
          load_assignment: {
            cluster_name: 'application',
            endpoints: [{ lb_endpoints: [{ endpoint: { address: at(side.upstream) } }] }],
          },
          typed_extension_protocol_options: {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': typed(
              'extensions.upstreams.http.v3.HttpProtocolOptions',
              {
                explicit_http_config: protocol,
              },
            ),
          },
          ...socket('UpstreamTlsContext', upstreamTls),
        },
      ],
    },
  };
}

async function toSides(role: Role, h2: boolean, { dir, upstreamPort }: PeerContext): Promise<Side[]> {
  const listen = await freePort();
  if (role === 'tcp') return [{ listen, upstream: upstreamPort, tcp: true }];
  if (role === 'hop' || role === 'retry') {
    return [{ listen, upstream: upstreamPort, insertId: true, retries: role === 'retry' }];
  }
  const { client, server } = await writeIdentities(dir);
  const between = await freePort();
  const alpn = h2 ? 'h2' : 'http/1.1';
  const inner = h2 ? 'HTTP2' : 'HTTP1';
  const isGrpc = role === 'grpc';
  const tcp = role === 'tcp-pair';
  const listenTls = { require_client_certificate: true, common_tls_context: commonTls(server, alpn) };
  const upstreamTls = { common_tls_context: commonTls(client, alpn) };
  return [
    { listen: between, upstream: upstreamPort, listenTls, codec: inner, upstreamHttp2: isGrpc, tcp },
    {
      listen,
      upstream: between,
      upstreamTls,
      upstreamHttp2: h2,
      codec: isGrpc ? 'HTTP2' : 'HTTP1',
      insertId: true,
      tcp,
    },
  ];
}

async function start(role: Role, h2: boolean, context: PeerContext): Promise<RunningPeer> {
  const sides = await toSides(role, h2, context);
  const commands = sides.map(async (side, index): Promise<ProxyCommand> => {
    const file = join(context.dir, `envoy-${index}.json`);
    await writeFile(file, JSON.stringify(toBootstrap(side)));
    const args = ['-c', file, '--concurrency', '1', '--disable-hot-restart', '-l', 'error'];
    return { command: findEnvoy() ?? 'envoy', args, port: side.listen };
  });
  return startProxies(await Promise.all(commands));
}

function findEnvoy(): string | null {
  const named = process.env['ENVOY'];
  if (named !== undefined && named !== '') return existsSync(named) ? named : null;
  return findInPath('envoy');
}

const absent = () => (findEnvoy() === null ? 'no envoy in PATH, and ENVOY names none' : null);

export const envoy: Peer = {
  name: 'envoy',
  roles: ['hop', 'retry', 'pair', 'tcp', 'tcp-pair'],
  absent,
  start: (role, context) => start(role, false, context),
};

export const envoyH2: Peer = {
  name: 'envoy-h2',
  roles: ['pair', 'grpc'],
  absent,
  start: (role, context) => start(role, true, context),
};

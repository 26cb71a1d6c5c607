import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findInPath } from '../../../core/control-plane/runtime/node-program.ts';
import { freePort } from '../../support/test-sidecar.ts';
import { writeIdentities } from './identities.ts';
import type { Peer, PeerContext, Role, RunningPeer } from './peer.ts';
import { type ProxyCommand, startProxies } from './start-proxies.ts';

const toConfig = (mode: 'http' | 'tcp', bind: string, server: string, insertId: boolean, retries = '') => `
global
  nbthread 1
  no strict-limits
  maxconn 12000
defaults
  mode ${mode}
  http-reuse always
  timeout connect 5s
  timeout client 600s
  timeout server 600s
frontend client
  bind 127.0.0.1:${bind}
${insertId ? '  unique-id-format %[uuid()]\n  unique-id-header X-Request-Id' : ''}
  default_backend application
backend application
${retries}  server one 127.0.0.1:${server}
`;

const retries = '  retries 3\n  retry-on 503 conn-failure\n';

async function toConfigs(role: Role, h2: boolean, { dir, upstreamPort }: PeerContext) {
  const port = await freePort();
  if (role === 'tcp') return [{ port, text: toConfig('tcp', `${port}`, `${upstreamPort}`, false) }];
  if (role === 'hop') return [{ port, text: toConfig('http', `${port}`, `${upstreamPort}`, true) }];
  if (role === 'retry') return [{ port, text: toConfig('http', `${port}`, `${upstreamPort}`, true, retries) }];
  const { client, server } = await writeIdentities(dir);
  const between = await freePort();
  const outer = role === 'grpc' ? ' proto h2' : '';
  const mode = role === 'tcp-pair' ? 'tcp' : 'http';
  const alpn = h2 ? ' alpn h2' : '';
  const tls = 'ssl-min-ver TLSv1.3';
  const bind = `${between} ssl crt ${server.both} ca-file ${server.ca} verify required ${tls}${alpn}`;
  // The name in the certificate is a SPIFFE ID, which HAProxy does not compare: it checks the issuer.
  const toServer = `${between} ssl crt ${client.both} ca-file ${client.ca} verify required ${tls}${alpn}`;
  return [
    { port: between, text: toConfig(mode, bind, `${upstreamPort}${outer}`, false) },
    { port, text: toConfig(mode, `${port}${outer}`, toServer, mode === 'http') },
  ];
}

async function start(role: Role, h2: boolean, context: PeerContext): Promise<RunningPeer> {
  const configs = await toConfigs(role, h2, context);
  const commands = configs.map(async ({ port, text }, index): Promise<ProxyCommand> => {
    const file = join(context.dir, `haproxy-${index}.cfg`);
    await writeFile(file, text);
    return { command: 'haproxy', args: ['-db', '-f', file], port };
  });
  return startProxies(await Promise.all(commands));
}

const absent = () => (findInPath('haproxy') === null ? 'haproxy is not installed' : null);

export const haproxy: Peer = {
  name: 'haproxy',
  roles: ['hop', 'retry', 'pair', 'tcp', 'tcp-pair'],
  absent,
  start: (role, context) => start(role, false, context),
};

export const haproxyH2: Peer = {
  name: 'haproxy-h2',
  roles: ['pair', 'grpc'],
  absent,
  start: (role, context) => start(role, true, context),
};

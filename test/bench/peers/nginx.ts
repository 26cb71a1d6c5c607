import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findInPath } from '../../../core/control-plane/runtime/node-program.ts';
import { freePort } from '../../support/test-sidecar.ts';
import { type IdentityFiles, writeIdentities } from './identities.ts';
import type { Peer, PeerContext, Role, RunningPeer } from './peer.ts';
import { type ProxyCommand, startProxies } from './start-proxies.ts';

const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
const streamModule = ['/usr/lib/nginx/modules/ngx_stream_module.so', '/usr/lib64/nginx/modules/ngx_stream_module.so'];
const many = '1000000000';

const frame = (dir: string, name: string, body: string, top = '') => `
${top}
daemon off; master_process off; pid ${dir}/${name}.pid; error_log ${dir}/${name}.log;
events { worker_connections 16000; }
${body}
`;

/** nginx closes connections after 1,000 requests by default; nobody else here does, so that is lifted. */
const httpBlock = (dir: string, name: string, server: string, application: string) => `
http {
  access_log off; keepalive_requests ${many};
  ${temporary.map((each) => `${each}_temp_path ${dir}/${name}.${each};`).join(' ')}
  upstream application { ${application} keepalive 512; keepalive_requests ${many}; }
  server { ${server} }
}
`;

const pass = (scheme: string, more = '') => `location / {
  proxy_pass ${scheme}://application; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
  ${more}
}`;
/** nginx asks another server of the group: the same one, named several times. */
const retry = 'proxy_next_upstream error timeout http_503; proxy_next_upstream_tries 4;';
const insertId = 'proxy_set_header X-Request-Id $request_id;';

const toUpstreamTls = ({ ca, certificate, key }: IdentityFiles) => `
  proxy_ssl_certificate ${certificate}; proxy_ssl_certificate_key ${key}; proxy_ssl_trusted_certificate ${ca};
  proxy_ssl_verify off; proxy_ssl_protocols TLSv1.3;
`;

const fromClientTls = ({ ca, certificate, key }: IdentityFiles) => `
  ssl_certificate ${certificate}; ssl_certificate_key ${key}; ssl_client_certificate ${ca}; ssl_verify_client on;
  ssl_protocols TLSv1.3;
`;

/** The proxies of a role, the application's side first: port, listener and what it does. */
async function toServers(role: Role, { dir, upstreamPort }: PeerContext) {
  const port = await freePort();
  if (role === 'hop' || role === 'retry') {
    const more = role === 'retry' ? insertId + retry : insertId;
    const server = `listen 127.0.0.1:${port} backlog=4096; ${pass('http', more)}`;
    return [{ name: role, port, upstream: upstreamPort, server }];
  }
  const { client, server } = await writeIdentities(dir);
  const between = await freePort();
  return [
    {
      name: 'server',
      port: between,
      upstream: upstreamPort,
      server: `listen 127.0.0.1:${between} ssl backlog=4096; ${fromClientTls(server)} ${pass('http')}`,
    },
    {
      name: 'client',
      port,
      upstream: between,
      server: `listen 127.0.0.1:${port} backlog=4096; ${pass('https', insertId + toUpstreamTls(client))}`,
    },
  ];
}

async function start(role: Role, context: PeerContext): Promise<RunningPeer> {
  const { dir, upstreamPort } = context;
  const toCommand = async (name: string, port: number, config: string): Promise<ProxyCommand> => {
    const file = join(dir, `${name}.conf`);
    await writeFile(file, config);
    return { command: 'nginx', args: ['-c', file, '-e', join(dir, `${name}.log`)], port };
  };
  if (role === 'tcp') {
    const port = await freePort();
    const body = `stream { server { listen 127.0.0.1:${port} backlog=4096; proxy_pass 127.0.0.1:${upstreamPort}; tcp_nodelay on; } }`;
    return startProxies([await toCommand('tcp', port, frame(dir, 'tcp', body, `load_module ${streamPath()};`))]);
  }
  const servers = await toServers(role, context);
  return startProxies(
    await Promise.all(
      servers.map(({ name, port, server, upstream }) =>
        toCommand(name, port, frame(dir, name, httpBlock(dir, name, server, toApplication(role, upstream)))),
      ),
    ),
  );
}

const toApplication = (role: Role, port: number) =>
  role === 'retry' ? `server 127.0.0.1:${port} max_fails=0; `.repeat(4) : `server 127.0.0.1:${port};`;

const streamPath = () => streamModule.find((path) => existsSync(path));

export const nginx: Peer = {
  name: 'nginx',
  roles: ['hop', 'retry', 'pair', 'tcp'],
  absent: (role) => {
    if (findInPath('nginx') === null) return 'nginx is not installed';
    return role === 'tcp' && streamPath() === undefined ? "nginx's stream module is not installed" : null;
  },
  start,
};

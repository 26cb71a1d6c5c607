/**
 * Programs that understand HTTP/1.1 by their own rules, to compare with: nginx and HAProxy in front of a recording upstream,
 * and node:http as a server that records by itself. They run on loopback with the limits that the sidecar has.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { eventually } from '../eventually.ts';
import { freePort } from '../test-sidecar.ts';
import { RecordingUpstream } from './recording-upstream.ts';
import type { RequestMessage } from './reference-parser.ts';

export const peerNames = ['nginx', 'haproxy', 'node'] as const;
export type PeerName = (typeof peerNames)[number];

/** A message as the peer understood it. */
export type Seen = Pick<RequestMessage, 'method' | 'target' | 'body'>;

export interface Peer {
  readonly name: PeerName;
  readonly version: string;
  readonly port: number;
  seen(): Seen[];
  /** Something has been passed on that the reference parser takes for no message. */
  passedOnBroken(): boolean;
  forget(): void;
  close(): Promise<void>;
}

/** Path of a program, `null` when this machine has none. Servers are in /usr/sbin, which is not in everybody's PATH. */
export function findProgram(name: string): string | null {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path)) ?? null;
}

const nginxConfig = (folder: string, port: number, upstreamPort: number) => `
daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log;
events { worker_connections 1024; }
http {
  access_log off; client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  client_max_body_size 0; large_client_header_buffers 4 64k; underscores_in_headers on; merge_slashes off;
  keepalive_requests 1000000;
  upstream recorder { server 127.0.0.1:${upstreamPort}; keepalive 16; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://recorder; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
      proxy_request_buffering off; proxy_next_upstream off;
    }
  }
}
`;

const haproxyConfig = (port: number, upstreamPort: number) => `
global
  maxconn 1000
  tune.bufsize 81920
  tune.http.maxhdr 129
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend clients
  bind 127.0.0.1:${port}
  default_backend recorder
backend recorder
  server recorder 127.0.0.1:${upstreamPort}
`;

async function startProgram(name: 'nginx' | 'haproxy'): Promise<Peer> {
  const path = findProgram(name);
  if (path === null) throw new Error(`there is no ${name} on this machine`);
  const upstream = await new RecordingUpstream().start();
  const folder = await mkdtemp(join(tmpdir(), `meshdesk-${name}-`));
  const port = await freePort();
  const config = join(folder, `${name}.conf`);
  await writeFile(
    config,
    name === 'nginx' ? nginxConfig(folder, port, upstream.port) : haproxyConfig(port, upstream.port),
  );
  const args = name === 'nginx' ? ['-p', folder, '-c', config] : ['-db', '-f', config];
  const child = spawn(path, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr?.on('data', (text: Buffer) => {
    said += text.toString();
  });
  await eventually(`${name} to listen`, () => {
    if (child.exitCode !== null) throw new Error(`${name} ended: ${said}`);
    return canConnect(port);
  });
  return {
    name,
    version: versionOf(name, path),
    port,
    seen: () => upstream.messages,
    passedOnBroken: () => upstream.connections.some(({ ending }) => typeof ending === 'object'),
    forget: () => {
      if (upstream.connections.some(({ ending }) => ending !== 'nothing')) upstream.reset();
      upstream.forget();
    },
    close: async () => {
      await stop(child);
      await upstream.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function canConnect(port: number): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1' });
  const [event] = await Promise.race([
    once(socket, 'connect').then(() => ['connect']),
    once(socket, 'close').then(() => ['close']),
  ]).catch(() => ['error']);
  socket.destroy();
  return event === 'connect';
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

function versionOf(name: 'nginx' | 'haproxy', path: string): string {
  // nginx says it on stderr.
  const text = execFileSync('/bin/sh', ['-c', `"$0" -v 2>&1`, path], { encoding: 'utf8' });
  return /(\d+\.\d+\.\d+)/.exec(text)?.[1] ?? `${name} of an unknown version`;
}

async function startNode(): Promise<Peer> {
  const messages: Seen[] = [];
  const server = createServer({ maxHeaderSize: 65_536, keepAliveTimeout: 60_000 }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => undefined);
    request.on('end', () => {
      if (!request.complete) return;
      const body = Buffer.concat(chunks).toString('latin1');
      messages.push({ method: request.method ?? '', target: request.url ?? '', body });
      response.end('recorded');
    });
  });
  server.maxHeadersCount = 128;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return {
    name: 'node',
    version: process.versions.node,
    port: address.port,
    seen: () => messages,
    passedOnBroken: () => false,
    forget: () => {
      messages.length = 0;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export function startPeer(name: PeerName): Promise<Peer> {
  return name === 'node' ? startNode() : startProgram(name);
}

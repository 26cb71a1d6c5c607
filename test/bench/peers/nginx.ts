import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findInPath } from '../../../core/control-plane/runtime/node-program.ts';
import { freePort } from '../../support/test-sidecar.ts';
import { proxyCore, startPinned, untilListening } from '../machine/pinned-process.ts';
import type { Peer, PeerContext, Role, RunningPeer } from './peer.ts';

const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];

/** nginx closes connections after 1,000 requests by default; nobody else here does, so that is lifted. */
const toConfig = (dir: string, port: number, upstreamPort: number) => `
daemon off; master_process off; pid ${dir}/pid; error_log ${dir}/error.log;
events { worker_connections 16000; }
http {
  access_log off; keepalive_requests 1000000000;
  ${temporary.map((name) => `${name}_temp_path ${dir}/${name};`).join(' ')}
  upstream application { server 127.0.0.1:${upstreamPort}; keepalive 512; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://application; proxy_http_version 1.1;
      proxy_set_header Connection ""; proxy_set_header Host $host; proxy_set_header X-Request-Id $request_id;
    }
  }
}
`;

async function start(_role: Role, { upstreamPort, dir }: PeerContext): Promise<RunningPeer> {
  const port = await freePort();
  const file = join(dir, 'nginx.conf');
  await writeFile(file, toConfig(dir, port, upstreamPort));
  const started = await startPinned(proxyCore, 'nginx', ['-c', file, '-e', join(dir, 'error.log')]);
  await untilListening(port, started, 'nginx');
  return { port, pids: [started.pid], close: started.close };
}

export const nginx: Peer = {
  name: 'nginx',
  roles: ['hop'],
  absent: () => (findInPath('nginx') === null ? 'nginx is not installed' : null),
  start,
};

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findInPath } from '../../../core/control-plane/runtime/node-program.ts';
import { freePort } from '../../support/test-sidecar.ts';
import { proxyCore, startPinned, untilListening } from '../machine/pinned-process.ts';
import type { Peer, PeerContext, Role, RunningPeer } from './peer.ts';

const toConfig = (port: number, upstreamPort: number) => `
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  http-reuse always
  timeout connect 5s
  timeout client 600s
  timeout server 600s
frontend client
  bind 127.0.0.1:${port}
  unique-id-format %[uuid()]
  unique-id-header X-Request-Id
  default_backend application
backend application
  server one 127.0.0.1:${upstreamPort}
`;

async function start(_role: Role, { upstreamPort, dir }: PeerContext): Promise<RunningPeer> {
  const port = await freePort();
  const file = join(dir, 'haproxy.cfg');
  await writeFile(file, toConfig(port, upstreamPort));
  const started = await startPinned(proxyCore, 'haproxy', ['-db', '-f', file]);
  await untilListening(port, started, 'haproxy');
  return { port, pids: [started.pid], close: started.close };
}

export const haproxy: Peer = {
  name: 'haproxy',
  roles: ['hop'],
  absent: () => (findInPath('haproxy') === null ? 'haproxy is not installed' : null),
  start,
};

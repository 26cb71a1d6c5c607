import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../support/test-sidecar.ts';
import type { ProxySettings } from '../proxy-program.ts';
import { writeIdentities } from './identities.ts';
import type { Peer, PeerContext, Role, RunningPeer } from './peer.ts';
import { startProxies } from './start-proxies.ts';

const program = join(dirname(fileURLToPath(import.meta.url)), 'proxy-program.mjs');

async function toSettings(kind: ProxySettings['kind'], role: Role, context: PeerContext): Promise<ProxySettings[]> {
  const port = await freePort();
  const plain = { kind, port, upstream: context.upstreamPort, insertId: true, listenTls: null, upstreamTls: null };
  if (role !== 'pair') return [plain];
  const { client, server } = await writeIdentities(context.dir);
  const between = await freePort();
  return [
    { ...plain, port: between, insertId: false, listenTls: server },
    { ...plain, upstream: between, upstreamTls: client },
  ];
}

async function start(kind: ProxySettings['kind'], role: Role, context: PeerContext): Promise<RunningPeer> {
  const settings = await toSettings(kind, role, context);
  return startProxies(
    settings.map((each) => ({
      command: process.execPath,
      args: [program],
      env: { PROXY: JSON.stringify(each) },
      port: each.port,
    })),
  );
}

const toPeer = (kind: ProxySettings['kind'], roles: readonly Role[]): Peer => ({
  name: kind,
  roles,
  absent: () => null,
  start: (role, context) => start(kind, role, context),
});

export const nodeHttp = toPeer('node-http', ['hop', 'pair']);
export const undici = toPeer('undici', ['hop']);
export const httpProxy = toPeer('http-proxy', ['hop']);
export const nodeNet = toPeer('node-net', ['tcp']);

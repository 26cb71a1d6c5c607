import type { Peer } from './peer.ts';

/** No proxy at all: what load and upstream cost by themselves. */
export const direct: Peer = {
  name: 'direct',
  roles: ['hop', 'pair', 'tcp', 'tcp-pair', 'grpc'],
  absent: () => null,
  start: async (_role, { upstreamPort }) => ({ port: upstreamPort, pids: [], close: async () => undefined }),
};

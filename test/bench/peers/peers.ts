import { direct } from './direct.ts';
import { envoy, envoyH2 } from './envoy.ts';
import { haproxy, haproxyH2 } from './haproxy.ts';
import { meshdesk } from './meshdesk.ts';
import { nginx } from './nginx.ts';
import { httpProxy, nodeHttp, nodeNet, undici } from './node-proxies.ts';
import type { Peer } from './peer.ts';

/** In the order of the tables. */
export const peers: readonly Peer[] = [
  direct,
  nginx,
  haproxy,
  haproxyH2,
  envoy,
  envoyH2,
  meshdesk,
  nodeHttp,
  undici,
  httpProxy,
  nodeNet,
];

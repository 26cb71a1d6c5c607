import { direct } from './direct.ts';
import { haproxy } from './haproxy.ts';
import { meshdesk } from './meshdesk.ts';
import { nginx } from './nginx.ts';
import type { Peer } from './peer.ts';

/** In the order of the tables. */
export const peers: readonly Peer[] = [direct, nginx, haproxy, meshdesk];

import type { MirrorConfig } from '../../model/traffic-config.ts';
import type { Random } from '../../shared/random.ts';
import type { CompiledConfig } from './compiled-config.ts';
import { outboundEdge } from './edges.ts';
import type { RequestRouter } from './request-router.ts';
import { noRetries } from './retry-plan.ts';
import type { Forward } from './route-plan.ts';
import type { ClientStream } from './streams.ts';

const ignore = () => undefined;
const goOn = () => true;

/** Takes the answer of a mirrored request, and does nothing with it. */
export class NoClient implements ClientStream {
  readonly protocol: ClientStream['protocol'];
  readonly takesChunked = true;
  readonly sendInterim = ignore;
  readonly sendHead = goOn;
  readonly sendBody = goOn;
  readonly sendTrailers = ignore;
  readonly answer = ignore;
  readonly openTunnel = ignore;
  readonly abort = ignore;
  readonly pauseRequest = ignore;
  readonly resumeRequest = ignore;

  constructor(protocol: ClientStream['protocol']) {
    this.protocol = protocol;
  }
}

/** Envoy marks a mirrored request in its Host, before the port. */
function toShadowHost(authority: string): string {
  const port = /:\d+$/.exec(authority)?.[0] ?? '';
  return `${authority.slice(0, authority.length - port.length)}-shadow${port}`;
}

/**
 * Where copies of a request go; those with nobody there are left out. As in Envoy, a request draws once for all its mirrors, so
 * that of 30 % and 60 % half of the second one's copies have one at the first, too, and 40 % of the requests have none.
 */
export function drawMirrors(
  mirrors: readonly MirrorConfig[],
  config: CompiledConfig,
  { request, edit }: RequestRouter,
  random: Random,
): readonly Forward[] {
  const host = toShadowHost(edit.host ?? request.authority);
  const draw = random() * 100;
  return mirrors
    .filter(({ percent }) => draw < percent)
    .flatMap((mirror) => toForward(mirror, config, host, edit.target) ?? []);
}

/** Sent once, without faults and time limits of its own. */
function toForward(mirror: MirrorConfig, config: CompiledConfig, host: string, target: string | null): Forward | null {
  const { port } = mirror;
  const candidates = port === null ? [] : (config.serviceByKey(mirror.service)?.endpoints(mirror.subset, port) ?? []);
  if (port === null || candidates.length === 0) return null;
  return {
    kind: 'forward',
    candidates,
    service: mirror.service,
    route: null,
    timeoutMs: null,
    faults: [],
    target,
    host,
    edge: outboundEdge(mirror.service, null, null, port, false),
    retry: noRetries,
    actions: null,
    cluster: null,
  };
}

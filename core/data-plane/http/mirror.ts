import type { MirrorConfig } from '../../model/traffic-config.ts';
import type { CompiledConfig } from './compiled-config.ts';
import { outboundEdge } from './edges.ts';
import { noRetries } from './retry-plan.ts';
import type { Forward } from './routing.ts';
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
export function toShadowHost(authority: string): string {
  const port = /:\d+$/.exec(authority)?.[0] ?? '';
  return `${authority.slice(0, authority.length - port.length)}-shadow${port}`;
}

/** Where a mirrored request goes; `null`: nobody is there. It is sent once, without faults and time limits of its own. */
export function mirrorRouting(
  mirror: MirrorConfig,
  config: CompiledConfig,
  port: number,
  host: string,
): Forward | null {
  const service = config.serviceByKey(mirror.service);
  const candidates = service?.endpoints(mirror.subset, mirror.port ?? port) ?? [];
  if (candidates.length === 0) return null;
  return {
    kind: 'forward',
    candidates,
    service: mirror.service,
    route: null,
    timeoutMs: null,
    faults: [],
    target: null,
    host: toShadowHost(host),
    edge: outboundEdge(mirror.service, null, null, mirror.port ?? port, false),
    retry: noRetries,
    actions: null,
    cluster: null,
  };
}

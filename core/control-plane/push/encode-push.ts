import type { ConfigChange } from '../../model/config-change.ts';
import type { SidecarConfig } from '../../model/sidecar-config.ts';

type Services = SidecarConfig['services'];

/** Bytes of a list of services, made once: the sidecars of a group share the list, and the bytes are sent to each as they are. */
const shared = new WeakMap<Services, Buffer>();
/** Below this a message is one text: cheaper than three frames. */
const worthSharingBytes = 16 * 1024;

/**
 * A push as the parts of one message, in order. Of 2,000 sidecars that see the same services none costs a copy of them: what
 * differs from one to the next are the first and the last part.
 */
export function encodePush(config: SidecarConfig, change: ConfigChange | null): readonly (string | Buffer)[] {
  const { services, ...rest } = change?.config ?? config;
  const head = change === null ? '{"type":"push"' : `{"type":"push.change","base":${change.base}`;
  const begin = `${head},"config":${JSON.stringify(rest).slice(0, -1)},"services":`;
  const end = change === null ? '}}' : `},"removed":${JSON.stringify(change.removed)}}`;
  const bytes = bytesOf(services);
  return bytes.length < worthSharingBytes ? [begin + bytes.toString() + end] : [begin, bytes, end];
}

function bytesOf(services: Services): Buffer {
  let bytes = shared.get(services);
  if (bytes === undefined) {
    bytes = Buffer.from(JSON.stringify(services));
    shared.set(services, bytes);
  }
  return bytes;
}

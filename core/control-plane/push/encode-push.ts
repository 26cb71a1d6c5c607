import type { ConfigChange } from '../../model/config-change.ts';
import type { SidecarConfig } from '../../model/sidecar-config.ts';

/** Bytes of a list, made once: the sidecars of a group share the list, and the bytes are sent to each as they are. */
const shared = new WeakMap<readonly unknown[], Buffer>();
/** Below this a message is one text: cheaper than several frames. */
const worthSharingBytes = 16 * 1024;

/**
 * A push as the parts of one message, in order. Of 2,000 sidecars that see the same services, and are called by the same
 * workloads, none costs a copy of them: what differs from one to the next is between these lists.
 */
export function encodePush(config: SidecarConfig, change: ConfigChange | null): readonly (string | Buffer)[] {
  const { services, inbound, ...rest } = change?.config ?? config;
  const { attachedCallers, ...own } = inbound;
  const head = change === null ? '{"type":"push"' : `{"type":"push.change","base":${change.base}`;
  const begin = `${head},"config":${JSON.stringify(rest).slice(0, -1)},"inbound":${JSON.stringify(own).slice(0, -1)}`;
  const end = change === null ? '}}' : `},"removed":${JSON.stringify(change.removed)}}`;
  const callers = attachedCallers === undefined ? [] : [',"attachedCallers":', bytesOf(attachedCallers)];
  return join([begin, ...callers, '},"services":', bytesOf(services), end]);
}

/** Neighbours that are text, or too few bytes to be worth a frame, become one. */
function join(parts: readonly (string | Buffer)[]): readonly (string | Buffer)[] {
  const joined: (string | Buffer)[] = [];
  for (const part of parts) {
    const last = joined.at(-1);
    const isLarge = typeof part !== 'string' && part.length >= worthSharingBytes;
    if (isLarge || typeof last !== 'string') joined.push(isLarge ? part : part.toString());
    else joined[joined.length - 1] = last + part.toString();
  }
  return joined;
}

function bytesOf(list: readonly unknown[]): Buffer {
  let bytes = shared.get(list);
  if (bytes === undefined) {
    bytes = Buffer.from(JSON.stringify(list));
    shared.set(list, bytes);
  }
  return bytes;
}

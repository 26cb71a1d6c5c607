import type { SidecarConfig } from '../../model/sidecar-config.ts';
import type { DownstreamContext } from '../connection.ts';

const nobody: ReadonlySet<string> = new Set();

/**
 * Callers with a sidecar of their own. What they had open before goes past it and comes here in plaintext; and as we keep
 * a client's connection whatever the application does with ours, it would do so for ever. So it ends politely when
 * the caller is attached, and the next one goes the right way.
 */
export class AttachedCallers {
  #known = nobody;

  /** Addresses that the configuration names and the last one did not. */
  joined({ inbound: { attachedCallers = [] } }: SidecarConfig): ReadonlySet<string> {
    const before = this.#known;
    this.#known = attachedCallers.length === 0 ? nobody : new Set(attachedCallers);
    const joined = attachedCallers.filter((address) => !before.has(address));
    return joined.length === 0 ? nobody : new Set(joined);
  }
}

/** Whether a connection came past the sidecar of one of these callers. */
export function goesPast(context: DownstreamContext, callers: ReadonlySet<string>): boolean {
  return context.direction === 'inbound' && context.peerSpiffeId === null && callers.has(context.remote.host);
}

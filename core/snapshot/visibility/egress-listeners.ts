/** What the `egress` of a Sidecar lets through, listener by listener. Source: Istio, model/sidecar.go and networking/core/listener.go. */
import { hostCovers } from '../../model/host-syntax.ts';
import type { Sidecar } from '../../model/sidecar.ts';
import type { ServiceConfig } from '../../model/sidecar-config.ts';

type Egress = NonNullable<Sidecar['spec']['egress']>[number];
type Ports = ServiceConfig['ports'];

/** The ports of a host that a workload sees; the very list that was given: all, and others than those; `null`: it sees none. */
export type SeenPorts = (host: string, namespace: string, ports: Ports) => Ports | null;

export const seesAll: SeenPorts = (_host, _namespace, ports) => ports;

/**
 * A listener with a port shows that port of its hosts. The one without, which comes last, shows all that is left: not the ports
 * of HTTP that others have, as their hosts are the only ones there.
 */
export function compileEgress(listeners: readonly Egress[], ownNamespace: string): SeenPorts {
  const numbered = listeners.flatMap((listener) => {
    const number = listener.port?.number ?? 0;
    return number === 0 || isProxy(listener) ? [] : [{ number, covers: coverage(listener, ownNamespace) }];
  });
  const others = listeners
    .filter(({ port }) => (port?.number ?? 0) === 0 || isProxy({ port }))
    .map((one) => coverage(one, ownNamespace));
  if (numbered.length === 0) {
    return (host, namespace, ports) => (others.some((covers) => covers(host, namespace)) ? ports : null);
  }
  const taken = new Set(numbered.map(({ number }) => number));
  return (host, namespace, ports) => {
    const named = new Set(numbered.filter(({ covers }) => covers(host, namespace)).map(({ number }) => number));
    const isOpen = others.some((covers) => covers(host, namespace));
    // Nobody has said what it listens on.
    if (ports.length === 0) {
      if (isOpen) return ports;
      return named.size === 0 ? null : [...named].map((port) => ({ port, protocol: 'auto' as const }));
    }
    const seen = ports.filter(
      ({ port, protocol }) => named.has(port) || (isOpen && (protocol === 'tcp' || !taken.has(port))),
    );
    if (seen.length === 0) return null;
    return seen.length === ports.length && isOpen ? ports : seen;
  };
}

/** A listener that is an HTTP proxy is for every port. */
const isProxy = ({ port }: Pick<Egress, 'port'>) => port?.protocol?.toUpperCase() === 'HTTP_PROXY';

/** `namespace/host`: `.` the own namespace, `*` any; `~` before it: not those, whatever else is there. */
function coverage({ hosts }: Egress, ownNamespace: string): (host: string, namespace: string) => boolean {
  const entries = hosts.map((entry) => {
    const slash = entry.indexOf('/');
    const isExcluded = entry.startsWith('~');
    const wanted = entry.slice(isExcluded ? 1 : 0, slash);
    return { isExcluded, pattern: entry.slice(slash + 1), whose: toNamespace(wanted, ownNamespace) };
  });
  return (host, namespace) => {
    const fitting = entries.filter(
      ({ whose, pattern }) => (whose === '*' || whose === namespace) && hostCovers(pattern, host),
    );
    return fitting.length > 0 && !fitting.some(({ isExcluded }) => isExcluded);
  };
}

function toNamespace(wanted: string, own: string): string {
  if (wanted === '.') return own;
  return wanted === '' ? '*' : wanted;
}

import { z } from 'zod';

/** What a port speaks. `auto`: not declared, decided per connection from the first bytes. */
export const PortProtocol = z.enum(['auto', 'http', 'http2', 'grpc', 'tls', 'tcp']);
export type PortProtocol = z.infer<typeof PortProtocol>;

/**
 * The PROXY protocol at a port (HAProxy, doc/proxy-protocol.txt). `accept`: connections from outside the mesh begin with a
 * header, either version, and are refused without; `send`: the application gets one, with the client's real address.
 */
export const ProxyProtocol = z.strictObject({
  accept: z.boolean(),
  send: z.enum(['v1', 'v2']).nullable(),
});
export type ProxyProtocol = z.infer<typeof ProxyProtocol>;

const proxyProtocolWords: Readonly<Record<string, Partial<ProxyProtocol>>> = {
  accept: { accept: true },
  'send-v1': { send: 'v1' },
  'send-v2': { send: 'v2' },
};

/** `accept`, `send-v1`, `send-v2`, or `accept` and one of the others with a comma between; `null` for anything else. */
export function parseProxyProtocol(text: string): ProxyProtocol | null {
  const asked: { accept: boolean; send: ProxyProtocol['send'] } = { accept: false, send: null };
  for (const word of text.split(',')) {
    const change = proxyProtocolWords[word.trim()];
    if (change === undefined || (change.send !== undefined && asked.send !== null)) return null;
    Object.assign(asked, change);
  }
  return asked;
}

/** What was seen on a connection. `grpc`: requests of HTTP/2 whose content says so. */
export const SeenProtocol = z.enum(['http/1.1', 'http/2', 'grpc', 'tcp']);
export type SeenProtocol = z.infer<typeof SeenProtocol>;

const protocolsByName: Readonly<Record<string, PortProtocol>> = {
  http: 'http',
  'grpc-web': 'http',
  http2: 'http2',
  grpc: 'grpc',
  https: 'tls',
  tls: 'tls',
  tcp: 'tcp',
  mongo: 'tcp',
  mysql: 'tcp',
  redis: 'tcp',
};

/** Protocol from a port's name, `<protocol>[-<suffix>]` as in Istio (protocol selection); `auto` when it says none. */
export function toPortProtocol(name: string): PortProtocol {
  const lower = name.toLowerCase();
  const known = Object.keys(protocolsByName).filter((prefix) => lower === prefix || lower.startsWith(`${prefix}-`));
  const longest = known.sort((a, b) => b.length - a.length)[0];
  return longest === undefined ? 'auto' : (protocolsByName[longest] ?? 'auto');
}

import { z } from 'zod';

/** What a port speaks. `auto`: not declared, decided per connection from the first bytes. */
export const PortProtocol = z.enum(['auto', 'http', 'http2', 'grpc', 'tls', 'tcp']);
export type PortProtocol = z.infer<typeof PortProtocol>;

/** What was seen on a connection. HTTP/2 passes as `tcp` until the sidecar speaks it. */
export const SeenProtocol = z.enum(['http/1.1', 'tcp']);
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

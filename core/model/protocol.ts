import { z } from 'zod';

/** What a port speaks. `auto`: not declared, decided per connection from the first bytes. */
export const PortProtocol = z.enum(['auto', 'http', 'http2', 'grpc', 'tls', 'tcp']);
export type PortProtocol = z.infer<typeof PortProtocol>;

/** What was seen on a connection. HTTP/2 passes as `tcp` until the sidecar speaks it. */
export const SeenProtocol = z.enum(['http/1.1', 'tcp']);
export type SeenProtocol = z.infer<typeof SeenProtocol>;

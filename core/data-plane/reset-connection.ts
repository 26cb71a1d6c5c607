import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

/** The TCP connection below each TLS one. Node knows it too, but does not tell. */
const transports = new WeakMap<Socket, Socket>();

/** Call when `tls` runs over `transport`, so that it can be reset. */
export function rememberTransport(tls: TLSSocket, transport: Socket): void {
  transports.set(tls, transport);
}

/**
 * Ends a connection with RST instead of FIN, at once: what was written and has not left is lost. Over TLS that is the
 * only way to say "broken" (a FIN without close_notify passes for a regular end in Node).
 */
export function resetConnection(socket: Socket): void {
  const transport = transports.get(socket) ?? socket;
  if (transport.destroyed) socket.destroy();
  else transport.resetAndDestroy();
}

import type { Socket } from 'node:net';

export interface SpliceOptions {
  readonly client: Socket;
  readonly upstream: Socket;
  /** Bytes that were read already and belong to the new protocol. */
  readonly fromClient: Buffer;
  readonly fromUpstream: Buffer;
  readonly onBytes: (sent: number, received: number) => void;
}

/**
 * Joins two sockets as they are, with back-pressure and half-close: the FIN of one side is passed on while the other
 * direction goes on. An abrupt end of one side ends the other.
 */
export function spliceSockets({ client, upstream, fromClient, fromUpstream, onBytes }: SpliceOptions): void {
  if (fromUpstream.length > 0) client.write(fromUpstream);
  if (fromClient.length > 0) {
    onBytes(fromClient.length, 0);
    upstream.write(fromClient);
  }
  client.on('data', (bytes: Buffer) => onBytes(bytes.length, 0));
  upstream.on('data', (bytes: Buffer) => onBytes(0, bytes.length));
  client.pipe(upstream);
  upstream.pipe(client);
  endTogether(client, upstream);
  endTogether(upstream, client);
  if (client.readableEnded) upstream.end();
  if (upstream.readableEnded) client.end();
}

function endTogether(closing: Socket, other: Socket): void {
  closing.on('close', () => {
    // After an orderly FIN of both sides the other one closes by itself once its bytes are out.
    if (!closing.readableEnded || !other.writableEnded) other.destroy();
  });
  if (closing.destroyed) other.destroy();
}

import type { Socket } from 'node:net';
import { resetConnection } from '../reset-connection.ts';

/** Counts bytes as they are forwarded: from the client to the server, and back. */
export interface SpliceMeter {
  toServer(bytes: number): void;
  toClient(bytes: number): void;
}

/**
 * Joins two connections. Each direction ends by itself (half-close), reads stop while the other side cannot take more,
 * and when one side breaks, what it had sent is delivered before the other side is reset. `done` is called once, when
 * both are closed. Both sockets must be paused or fresh and allow half-open; `head` are bytes already read from the client.
 */
export function splice(client: Socket, server: Socket, head: Buffer, meter: SpliceMeter, done: () => void): void {
  let open = 2;
  const onClose = () => {
    open -= 1;
    if (open === 0) done();
  };
  for (const socket of [client, server]) {
    if (socket.closed) onClose();
    else socket.once('close', onClose);
  }
  if (head.length > 0) {
    meter.toServer(head.length);
    server.write(head);
  }
  forward(client, server, (bytes) => meter.toServer(bytes));
  forward(server, client, (bytes) => meter.toClient(bytes));
}

function forward(from: Socket, to: Socket, count: (bytes: number) => void): void {
  if (from.destroyed) {
    breakOff(to);
    return;
  }
  from.on('data', (chunk: Buffer) => {
    count(chunk.length);
    if (!to.write(chunk)) from.pause();
  });
  to.on('drain', () => from.resume());
  from.once('end', () => to.end());
  from.once('error', () => breakOff(to));
  from.once('close', () => {
    // Closed without an end of its own: whoever destroyed it wants the other side to know.
    if (!from.readableEnded) breakOff(to);
    else if (!to.writableEnded) to.end();
  });
  if (from.readableEnded) to.end();
  else if (to.writableNeedDrain) from.pause();
  else from.resume();
}

/** Ends a connection so that the peer does not take it for a regular end: what is queued goes out, then a reset. */
export function breakOff(socket: Socket): void {
  if (socket.destroyed) return;
  if (socket.writableLength === 0 || socket.connecting) {
    resetConnection(socket);
    return;
  }
  socket.pause();
  socket.once('drain', () => resetConnection(socket));
  // A peer that takes nothing any more must not keep the connection for ever.
  const deadline = setTimeout(() => resetConnection(socket), flushDeadlineMs);
  deadline.unref();
  socket.once('close', () => clearTimeout(deadline));
}

const flushDeadlineMs = 5_000;

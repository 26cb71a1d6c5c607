import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { canBeRaw, RawWire } from './raw-wire.ts';
import type { WireOwner } from './wire.ts';

/** Several reads and writes, and little memory. */
const testBytes = 256 * 1024;
const deadlineMs = 2_000;

/**
 * Whether raw wires do on this Node what they must: sends through a connection of our own, reads it back, compares, ends it.
 * Takes some milliseconds, once.
 */
export async function rawWiresWork(): Promise<boolean> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  const sockets: Socket[] = [];
  const deadline = AbortSignal.timeout(deadlineMs);
  try {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening', { signal: deadline });
    const accepted = once(server, 'connection', { signal: deadline });
    const client = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
    sockets.push(client);
    await once(client, 'connect', { signal: deadline });
    const [socket] = (await accepted) as [Socket];
    sockets.push(socket);
    return canBeRaw(socket) && canBeRaw(client) && (await echoes(socket, client, deadline));
  } catch {
    // No loopback, no port, or too slow: then nothing is known, and the public API is the safe choice.
    return false;
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

/** One wire sends back what it gets; the other one checks it, then both ends are told. */
function echoes(server: Socket, client: Socket, deadline: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const sent = Buffer.alloc(testBytes);
    for (let at = 0; at < testBytes; at += 1_021) sent.writeUInt16LE(at & 0xffff, at < testBytes - 1 ? at : at - 1);
    let checked = 0;
    let isSame = true;
    deadline.addEventListener('abort', () => resolve(false), { once: true });
    const echo = new RawWire(server, {
      onBytes: (bytes, start, end) => {
        if (!echo.send(bytes, start, end)) echo.pause();
      },
      onEnd: () => echo.end(),
      onDrain: () => echo.resume(),
      onClose: () => undefined,
    });
    const checker: WireOwner = {
      onBytes: (bytes, start, end) => {
        isSame = isSame && bytes.compare(sent, checked, checked + end - start, start, end) === 0;
        checked += end - start;
        if (checked === testBytes) wire.end();
      },
      onEnd: () => undefined,
      onDrain: () => undefined,
      onClose: (error) => resolve(error === null && isSame && checked === testBytes),
    };
    const wire = new RawWire(client, checker);
    wire.send(sent, 0, testBytes);
  });
}

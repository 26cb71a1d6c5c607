import type { Socket } from 'node:net';
import { classifyFirstBytes, type FirstBytes } from './first-bytes.ts';

/**
 * Clients of server-first protocols (MySQL, SMTP, FTP ...) say nothing until the server has. One that has sent no byte
 * within this time may be such: its server is connected, so that neither waits for the other. Longer than the pause between a client's connect and its first
 * write on a loaded machine, shorter than anybody notices at the start of a database connection.
 */
export const quietClientMs = 100;
/** A client that began a message which could still become HTTP or TLS gets this long to go on, then it is TCP. */
export const stalledClientMs = 1_000;

export interface FirstBytesOptions {
  /** `Infinity`: wait for as long as it takes. */
  readonly quietMs: number;
  readonly stalledMs: number;
  /** It is known what the client speaks; the connection is paused, `head` are all bytes read so far. */
  readonly onDetected: (kind: FirstBytes, head: Buffer) => void;
  /** Nothing came within `quietMs`; reading goes on. Called at most once. */
  readonly onQuiet: () => void;
}

/**
 * Reads from a fresh connection until it is known what it speaks. A client that ends its side while undecided is TCP; of
 * one that breaks off nothing is heard. Returns a function that ends the reading: it pauses the connection and returns
 * what has been read.
 */
export function readFirstBytes(socket: Socket, options: FirstBytesOptions): () => Buffer {
  let head: Buffer = Buffer.alloc(0);
  let isOver = false;
  let timer: NodeJS.Timeout | undefined;
  const stop = () => {
    isOver = true;
    clearTimeout(timer);
    socket.removeListener('data', onData);
    socket.removeListener('end', onEnd);
    socket.removeListener('close', stop);
    socket.removeListener('error', stop);
    socket.pause();
    return head;
  };
  const finish = (kind: FirstBytes) => {
    stop();
    options.onDetected(kind, head);
  };
  const onData = (chunk: Buffer) => {
    const isFirst = head.length === 0;
    head = isFirst ? chunk : Buffer.concat([head, chunk]);
    const kind = classifyFirstBytes(head);
    if (kind !== null) {
      finish(kind);
    } else if (isFirst) {
      clearTimeout(timer);
      timer = setTimeout(finish, options.stalledMs, { kind: 'tcp' });
    }
  };
  const onEnd = () => finish({ kind: 'tcp' });
  const onTimeout = () => {
    // On a late event loop timers come before the bytes that have long arrived: look at those first.
    setImmediate(() => {
      if (!isOver && head.length === 0) options.onQuiet();
    });
  };
  if (options.quietMs !== Number.POSITIVE_INFINITY) timer = setTimeout(onTimeout, options.quietMs);
  socket.on('data', onData);
  socket.on('end', onEnd);
  socket.on('close', stop);
  socket.on('error', stop);
  socket.resume();
  return stop;
}

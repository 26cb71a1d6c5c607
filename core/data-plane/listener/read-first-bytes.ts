import type { Socket } from 'node:net';
import { classifyFirstBytes, type FirstBytes } from './first-bytes.ts';

/**
 * Clients of server-first protocols (MySQL, SMTP, FTP ...) say nothing until the server has. One that has sent no byte
 * within this time is taken for such, so they never hang. Longer than the pause between a client's connect and its first
 * write on a loaded machine, shorter than anybody notices at the start of a database connection.
 */
export const quietClientMs = 100;
/** A client that began a message which could still become HTTP or TLS gets this long to go on, then it is TCP. */
export const stalledClientMs = 1_000;

export interface FirstBytesOptions {
  /** `Infinity`: wait for as long as it takes (the port is declared to be HTTP, or only TLS is welcome). */
  readonly quietMs: number;
  readonly stalledMs: number;
}

/**
 * Reads from a fresh connection until it is known what it speaks, then pauses it and reports, with all bytes read so far.
 * `detected` is not called when the client goes away with an error first. A client that ends its side while undecided
 * is TCP. Returns a function that gives up.
 */
export function readFirstBytes(
  socket: Socket,
  options: FirstBytesOptions,
  detected: (kind: FirstBytes, head: Buffer) => void,
): () => void {
  let head: Buffer = Buffer.alloc(0);
  let timer: NodeJS.Timeout | undefined;
  const stop = () => {
    clearTimeout(timer);
    socket.removeListener('data', onData);
    socket.removeListener('end', onEnd);
    socket.removeListener('close', stop);
    socket.removeListener('error', stop);
  };
  const finish = (kind: FirstBytes) => {
    stop();
    socket.pause();
    detected(kind, head);
  };
  const wait = (ms: number) => {
    clearTimeout(timer);
    if (ms === Number.POSITIVE_INFINITY) return;
    timer = setTimeout(finish, ms, { kind: 'tcp' });
  };
  const onData = (chunk: Buffer) => {
    const isFirst = head.length === 0;
    head = isFirst ? chunk : Buffer.concat([head, chunk]);
    const kind = classifyFirstBytes(head);
    if (kind !== null) finish(kind);
    else if (isFirst) wait(options.stalledMs);
  };
  const onEnd = () => finish({ kind: 'tcp' });
  socket.on('data', onData);
  socket.on('end', onEnd);
  socket.on('close', stop);
  socket.on('error', stop);
  wait(options.quietMs);
  socket.resume();
  return stop;
}

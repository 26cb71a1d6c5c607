import type { Socket } from 'node:net';
import { maxProxyHeaderBytes, type ProxyHeader, parseProxyHeader } from './proxy-protocol.ts';

/** A client that does not finish its header within this time is refused. */
export const proxyHeaderTimeoutMs = 10_000;

export interface ProxyHeaderOptions {
  /** The header has been taken away; the connection is paused, and what follows is in front of what is read next. */
  readonly onHeader: (header: ProxyHeader) => void;
  /** The connection begins with something else, which is in front of what is read next; it is paused. */
  readonly onAbsent: (firstByte: number) => void;
  /** What came is no header, or nothing came in time. The connection is paused. */
  readonly onRefused: (reason: string) => void;
  readonly timeoutMs?: number;
}

/** Takes the PROXY protocol's header from the front of a fresh, paused connection. One of the three is called, or none when the client goes. */
export function readProxyHeader(socket: Socket, options: ProxyHeaderOptions): void {
  let head: Buffer = Buffer.alloc(0);
  const stop = () => {
    clearTimeout(timer);
    socket.removeListener('data', onData);
    socket.removeListener('end', onEnd);
    socket.removeListener('close', stop);
    socket.pause();
  };
  const refuse = (reason: string) => {
    stop();
    options.onRefused(reason);
  };
  const onData = (chunk: Buffer) => {
    head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
    const result = parseProxyHeader(head);
    if (result === 'more') {
      if (head.length > maxProxyHeaderBytes) refuse('a PROXY header without an end');
      return;
    }
    if (typeof result === 'object' && 'error' in result) return refuse(`a PROXY header with an error: ${result.error}`);
    stop();
    const rest = result === 'absent' ? head : head.subarray(result.length);
    if (rest.length > 0) socket.unshift(rest);
    if (result === 'absent') options.onAbsent(head[0] ?? 0);
    else options.onHeader(result);
  };
  const onEnd = () => refuse('the client ended the connection before its PROXY header');
  const timeoutMs = options.timeoutMs ?? proxyHeaderTimeoutMs;
  const timer = setTimeout(() => refuse(`no PROXY header within ${timeoutMs} ms`), timeoutMs);
  socket.on('data', onData);
  socket.on('end', onEnd);
  socket.on('close', stop);
  socket.resume();
}

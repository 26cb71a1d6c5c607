import type { Socket } from 'node:net';
import type { TunnelConfig } from '../../model/traffic-config.ts';
import { UpstreamError } from '../connection.ts';

const maxAnswerBytes = 16 * 1024;
const headEnd = '\r\n\r\n';

/**
 * Asks a forward proxy to pass the connection on (Istio TrafficPolicy.tunnel): HTTP/1.1 CONNECT. Resolves once it agrees, with
 * the socket paused and what it sent beyond its answer still to be read; rejects with an `UpstreamError`, the socket destroyed.
 */
export function openTunnel(
  socket: Socket,
  { host, port }: TunnelConfig,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Socket> {
  const target = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  return new Promise((resolve, reject) => {
    let head: Buffer = Buffer.alloc(0);
    const settle = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      socket.removeListener('data', onData);
      socket.removeListener('end', onEnd);
      socket.removeListener('error', onError);
    };
    const fail = (kind: 'timeout' | 'reset' | 'unreachable', message: string) => {
      settle();
      socket.on('error', () => undefined);
      socket.destroy();
      reject(new UpstreamError({ kind, message: `the tunnel to ${target}: ${message}` }));
    };
    const onAbort = () => fail('reset', 'given up, the client went away');
    const onEnd = () => fail('reset', 'the proxy closed the connection');
    const onError = (error: Error) => fail('reset', error.message);
    const onData = (bytes: Buffer) => {
      head = Buffer.concat([head, bytes]);
      const end = head.indexOf(headEnd);
      if (end < 0) {
        if (head.length > maxAnswerBytes) fail('unreachable', 'the proxy does not come to an end');
        return;
      }
      const [line = ''] = head.toString('latin1', 0, end).split('\r\n', 1);
      if (!/^HTTP\/1\.[01] 2\d\d( |$)/.test(line)) return fail('unreachable', `the proxy answered ${line}`);
      settle();
      socket.pause();
      const rest = head.subarray(end + headEnd.length);
      if (rest.length > 0) socket.unshift(rest);
      resolve(socket);
    };
    const timer = setTimeout(() => fail('timeout', `no answer within ${timeoutMs} ms`), timeoutMs);
    timer.unref();
    signal.addEventListener('abort', onAbort, { once: true });
    socket.on('data', onData);
    socket.on('end', onEnd);
    socket.on('error', onError);
    socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`);
  });
}

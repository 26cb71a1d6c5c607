import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import type { TcpKeepAliveConfig } from '../../model/traffic-config.ts';

// linux/in.h, linux/tcp.h
const ipprotoTcp = 6;
const tcpKeepInterval = 5;
const tcpKeepCount = 6;

type SetOption = (fd: number, name: number, value: number) => void;
let setOption: SetOption | null = null;

/**
 * Time between probes and how many go unanswered, which Node does not offer: straight from libc, on Linux. Elsewhere the
 * system's own figures stay. The silence before the first probe is Node's to set.
 */
export function tuneKeepAlive(socket: Socket, { intervalMs, probes }: TcpKeepAliveConfig): void {
  if (process.platform !== 'linux' || (intervalMs === undefined && probes === undefined)) return;
  const { _handle: handle } = socket as unknown as { _handle?: { fd?: number } };
  const fd = handle?.fd ?? -1;
  if (fd < 0) return;
  setOption ??= loadSetOption();
  if (intervalMs !== undefined) setOption(fd, tcpKeepInterval, Math.max(1, Math.round(intervalMs / 1_000)));
  if (probes !== undefined) setOption(fd, tcpKeepCount, Math.min(probes, 127));
}

/** Where there is no FFI library nothing is set. */
function loadSetOption(): SetOption {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi').default;
    const libc = koffi.load(null);
    const setsockopt = libc.func('int setsockopt(int fd, int level, int name, const uint8_t *value, uint32_t length)');
    return (fd, name, value) => {
      setsockopt(fd, ipprotoTcp, name, Buffer.from(new Uint32Array([value]).buffer), 4);
    };
  } catch {
    return () => undefined;
  }
}

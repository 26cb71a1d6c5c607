/**
 * Open-loop HTTP load: requests leave at a constant rate whatever the answers do, and latency counts from the moment a
 * request was due, so that a stall is charged to every request it held up (no coordinated omission). Keep-alive
 * connections over raw sockets; every answer's status and body length is checked. Port and rate are the caller's; the
 * target must be on this machine.
 */
import { connect, type Socket } from 'node:net';

export interface OpenLoopOptions {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly hostHeader: string;
  readonly ratePerSecond: number;
  readonly connections: number;
  readonly durationMs: number;
  /** Left out of the figures. */
  readonly warmUpMs: number;
  readonly expectedStatus: number;
  readonly expectedBytes: number;
}

export interface OpenLoopResult {
  readonly requests: number;
  readonly failures: readonly string[];
  readonly p50Us: number;
  readonly p99Us: number;
  readonly achievedPerSecond: number;
}

interface Lane {
  socket: Socket | null;
  dueMs: number | null;
  received: Buffer;
}

const headEnd = Buffer.from('\r\n\r\n');

/** Length of the first whole response in `bytes`, and what is wrong with it; `null` while it is incomplete. */
function firstResponse(bytes: Buffer, options: OpenLoopOptions): { length: number; problem: string | null } | null {
  const end = bytes.indexOf(headEnd);
  if (end < 0) return null;
  const head = bytes.toString('latin1', 0, end);
  const status = Number(head.slice(9, 12));
  const contentLength = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? Number.NaN);
  if (Number.isNaN(contentLength)) return { length: bytes.length, problem: 'response without content-length' };
  const length = end + 4 + contentLength;
  if (bytes.length < length) return null;
  if (status !== options.expectedStatus) return { length, problem: `status ${status}` };
  if (contentLength !== options.expectedBytes) return { length, problem: `${contentLength} bytes` };
  return { length, problem: null };
}

const percentile = (sorted: readonly number[], percent: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? Number.NaN;

/** Runs the load to its end. Resolves always; what went wrong is listed in `failures`. */
export function runOpenLoop(options: OpenLoopOptions): Promise<OpenLoopResult> {
  const lanes: Lane[] = Array.from({ length: options.connections }, () => ({
    socket: null,
    dueMs: null,
    received: Buffer.alloc(0),
  }));
  const backlog: number[] = [];
  const latenciesUs: number[] = [];
  const failures: string[] = [];
  const request = `GET ${options.path} HTTP/1.1\r\nHost: ${options.hostHeader}\r\n\r\n`;
  const startMs = performance.now();
  const endMs = startMs + options.durationMs;
  const intervalMs = 1000 / options.ratePerSecond;
  let nextDueMs = startMs;

  const finish = (lane: Lane, problem: string | null) => {
    const dueMs = lane.dueMs;
    lane.dueMs = null;
    if (dueMs === null) return;
    if (problem !== null) failures.push(problem);
    else if (dueMs - startMs >= options.warmUpMs) latenciesUs.push((performance.now() - dueMs) * 1000);
  };

  const open = (lane: Lane): Socket => {
    const socket = connect({ host: options.host, port: options.port, noDelay: true });
    lane.socket = socket;
    lane.received = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      lane.received = lane.received.length === 0 ? chunk : Buffer.concat([lane.received, chunk]);
      const response = firstResponse(lane.received, options);
      if (response === null) return;
      lane.received = lane.received.subarray(response.length);
      finish(lane, response.problem);
      pump();
    });
    const lost = (why: string) => {
      if (lane.socket === socket) lane.socket = null;
      finish(lane, why);
    };
    socket.on('error', (error) => lost(error.message));
    socket.on('close', () => lost('connection closed before the answer'));
    return socket;
  };

  const pump = () => {
    for (const lane of lanes) {
      if (backlog.length === 0) return;
      if (lane.dueMs !== null) continue;
      lane.dueMs = backlog.shift() ?? null;
      (lane.socket ?? open(lane)).write(request);
    }
  };

  return new Promise((resolve) => {
    const tick = () => {
      const now = performance.now();
      while (nextDueMs <= now && nextDueMs < endMs) {
        backlog.push(nextDueMs);
        nextDueMs += intervalMs;
      }
      pump();
      const idle = backlog.length === 0 && lanes.every((lane) => lane.dueMs === null);
      if (now < endMs || (!idle && now < endMs + 5_000)) {
        setImmediate(tick);
        return;
      }
      for (const lane of lanes) if (lane.dueMs !== null) finish(lane, 'no answer within 5 s of the end');
      for (const lane of lanes) lane.socket?.destroy();
      latenciesUs.sort((a, b) => a - b);
      const measuredSeconds = (options.durationMs - options.warmUpMs) / 1000;
      resolve({
        requests: latenciesUs.length + failures.length,
        failures,
        p50Us: Math.round(percentile(latenciesUs, 50)),
        p99Us: Math.round(percentile(latenciesUs, 99)),
        achievedPerSecond: Math.round(latenciesUs.length / measuredSeconds),
      });
    };
    tick();
  });
}

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findInPath } from '../../../core/control-plane/runtime/node-program.ts';
import { createMessage, grpcPath } from '../machine/grpc-upstream.ts';
import { loadCore, startPinned } from '../machine/pinned-process.ts';
import { Latencies, percentileUs } from './latencies.ts';
import type { LoadResult } from './load-options.ts';

export interface H2Load {
  readonly port: number;
  readonly connections: number;
  /** Concurrent calls on each connection. */
  readonly streams: number;
  readonly requests: number;
  readonly dir: string;
}

export const h2loadAbsent = (): string | null => (findInPath('h2load') === null ? 'h2load is not installed' : null);

/** Unary gRPC calls with nghttp2's load generator; every status and the bytes received in all are checked. */
export async function runH2load({ port, connections, streams, requests, dir }: H2Load): Promise<LoadResult> {
  const message = join(dir, 'request.bin');
  const log = join(dir, 'h2load.log');
  await writeFile(message, createMessage('q'));
  await writeFile(log, '');
  const counts = ['-n', requests, '-c', connections, '-m', streams].map(String);
  const headers = ['-H', 'content-type: application/grpc', '-H', 'te: trailers'];
  const url = `http://127.0.0.1:${port}${grpcPath}`;
  const load = await startPinned(loadCore, 'h2load', [...counts, ...headers, '-d', message, `--log-file=${log}`, url]);
  await new Promise((resolve) => load.child.once('close', resolve));
  const said = load.said();
  const succeeded = Number(/(\d+) succeeded/.exec(said)?.[1] ?? 0);
  const dataBytes = Number(/\((\d+)\) data/.exec(said)?.[1] ?? 0);
  const latencies = new Latencies();
  let [fromUs, toUs, wrong] = [Number.POSITIVE_INFINITY, 0, 0];
  for (const line of (await readFile(log, 'latin1')).split('\n')) {
    if (line === '') continue;
    const [startUs = 0, status = 0, tookUs = 0] = line.split('\t').map(Number);
    if (status !== 200) wrong += 1;
    latencies.add(tookUs);
    fromUs = Math.min(fromUs, startUs);
    toUs = Math.max(toUs, startUs + tookUs);
  }
  const whole = dataBytes === requests * createMessage('r').length;
  const failures = requests - succeeded + wrong + (whole ? 0 : 1);
  const sorted = latencies.sorted();
  return {
    requests: succeeded,
    failures,
    firstFailure: failures === 0 ? null : (/requests: .*|.*rror.*/.exec(said)?.[0] ?? 'h2load said nothing'),
    seconds: (toUs - fromUs) / 1e6,
    p50Us: percentileUs(sorted, 50),
    p99Us: percentileUs(sorted, 99),
    p999Us: percentileUs(sorted, 99.9),
  };
}

import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:http2';
import { join } from 'node:path';
import { findInPath } from '../../../core/control-plane/runtime/node-program.ts';
import { freePort } from '../../support/test-sidecar.ts';
import { loadCore, type PinnedProcess, startPinned, untilListening } from './pinned-process.ts';

export const grpcPath = '/bench.Echo/Call';
const messageBytes = 100;

/** Length-prefixed message (gRPC over HTTP/2, "Length-Prefixed-Message"). */
export function createMessage(fill: string): Buffer {
  const message = Buffer.alloc(5 + messageBytes, fill);
  message.writeUInt8(0, 0);
  message.writeUInt32BE(messageBytes, 1);
  return message;
}

export interface GrpcUpstream {
  readonly port: number;
  readonly pid: number;
  close(): Promise<void>;
}

/** Why there is none; `null` when it can be started. */
export const grpcUpstreamAbsent = (): string | null =>
  findInPath('nginx') === null ? 'its upstream is nginx, which is not installed' : null;

/** A unary gRPC service: nginx on HTTP/2 with prior knowledge, answering one message and `grpc-status: 0` in the trailers. */
export async function startGrpcUpstream(dir: string): Promise<GrpcUpstream> {
  const port = await freePort();
  await mkdir(join(dir, 'www', 'bench.Echo'), { recursive: true });
  await writeFile(join(dir, 'www', grpcPath), createMessage('r'));
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const file = join(dir, 'grpc.conf');
  await writeFile(
    file,
    `daemon off; master_process off; pid ${dir}/grpc.pid; error_log ${dir}/grpc.log;
    events { worker_connections 4096; }
    http {
      access_log off; keepalive_requests 1000000000; sendfile on; default_type application/grpc;
      open_file_cache max=10 inactive=1h; open_file_cache_valid 1h;
      ${temporary.map((name) => `${name}_temp_path ${dir}/grpc.${name};`).join(' ')}
      server { listen 127.0.0.1:${port} http2; root ${dir}/www; add_trailer grpc-status 0; error_page 405 =200 $uri; }
    }`,
  );
  const started: PinnedProcess = await startPinned(loadCore, 'nginx', ['-c', file, '-e', join(dir, 'grpc.log')]);
  await untilListening(port, started, 'the gRPC upstream');
  return { port, pid: started.pid, close: started.close };
}

/** One unary call over HTTP/2 with prior knowledge. `null`: status 200, the whole message and `grpc-status: 0` came back. */
export function checkUnary(port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const session = connect(`http://127.0.0.1:${port}`);
    const finish = (problem: string | null) => {
      clearTimeout(timer);
      session.destroy();
      resolve(problem);
    };
    const timer = setTimeout(() => finish('no answer within 5 s'), 5_000);
    session.on('error', (error) => finish(error.message));
    const headers = { 'content-type': 'application/grpc', te: 'trailers' };
    const call = session.request({ ':method': 'POST', ':path': grpcPath, ...headers });
    const chunks: Buffer[] = [];
    let status = 0;
    let grpcStatus: unknown = null;
    call.on('response', (fields) => {
      status = Number(fields[':status']);
      grpcStatus = fields['grpc-status'] ?? null;
    });
    call.on('trailers', (fields) => {
      grpcStatus = fields['grpc-status'] ?? null;
    });
    call.on('data', (chunk: Buffer) => chunks.push(chunk));
    call.on('error', (error) => finish(error.message));
    call.on('end', () => {
      if (status !== 200) finish(`status ${status}`);
      else if (grpcStatus !== '0') finish(`grpc-status ${String(grpcStatus)}`);
      else finish(Buffer.concat(chunks).equals(createMessage('r')) ? null : 'an altered message');
    });
    call.end(createMessage('q'));
  });
}

/**
 * The control stream's way to a sidecar: an exec in its container whose stdin and stdout are joined to the sidecar's
 * socket. The engine multiplexes stdout and stderr of an exec without a terminal; stdout is the stream, stderr the reason
 * when there is none.
 */
import { Duplex, PassThrough } from 'node:stream';
import type Docker from 'dockerode';
import { MeshError } from '../../../contract/errors.ts';
import { engineMessage } from './engine-error.ts';

const startTimeoutMs = 10_000;

export interface ExecStreamOptions {
  readonly command: readonly string[];
  readonly user: string;
  /** For messages. */
  readonly name: string;
}

/** Rejects with SIDECAR_UNREACHABLE when the exec cannot be started. Destroying the stream ends the command's stdin, and so the command. */
export async function openExecStream(docker: Docker, containerId: string, options: ExecStreamOptions): Promise<Duplex> {
  try {
    const exec = await docker.getContainer(containerId).exec({
      Cmd: [...options.command],
      User: options.user,
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
      Tty: false,
    });
    // An engine that removes the container meanwhile may never answer.
    const giveUp = new AbortController();
    const timer = setTimeout(() => giveUp.abort(), startTimeoutMs);
    timer.unref();
    const way = { hijack: true, stdin: true, Tty: false, abortSignal: giveUp.signal };
    const raw = await exec.start(way).finally(() => clearTimeout(timer));
    return joinStreams(docker, raw);
  } catch (error) {
    throw new MeshError(
      'SIDECAR_UNREACHABLE',
      `The sidecar of ${options.name} cannot be reached: ${engineMessage(error)}`,
      { cause: error },
    );
  }
}

function joinStreams(docker: Docker, raw: Duplex): Duplex {
  const output = new PassThrough();
  const errors = new PassThrough();
  let complaint = '';
  errors.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-500);
  });
  docker.modem.demuxStream(raw, output, errors);
  const stream = new Duplex({
    read: () => output.resume(),
    write: (chunk: Buffer, _encoding, done) => {
      if (raw.write(chunk)) done();
      else raw.once('drain', () => done());
    },
    final: (done) => {
      raw.end();
      done();
    },
    destroy: (error, done) => {
      raw.destroy();
      done(error);
    },
  });
  output.on('data', (chunk: Buffer) => {
    if (!stream.push(chunk)) output.pause();
  });
  const onEnd = () => {
    if (stream.destroyed) return;
    if (complaint === '') stream.push(null);
    else stream.destroy(new Error(complaint.trim()));
  };
  raw.once('end', onEnd).once('close', onEnd);
  raw.once('error', (error) => stream.destroy(error));
  return stream;
}

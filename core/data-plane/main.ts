/**
 * The sidecar's process. Settings come from the environment:
 *
 *   MESHDESK_SOCKET   path of the control stream's socket (Unix socket, or named pipe on Windows); required
 *   MESHDESK_STATE    file of the last good state, `off` for none; default: next to the socket, none with a named pipe
 *   MESHDESK_UID, MESHDESK_GID   who to become before anything is opened, when started as root; default: nobody else
 *   MESHDESK_EXIT_WITH_PARENT   `1`: ends when stdin does, that is, with the process that started it
 *   MESHDESK_LOG      info, warn or error; default info
 */
import { chmodSync, chownSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { toMessage } from './logger.ts';
import { startSidecar } from './sidecar.ts';

declare const __MESHDESK_VERSION__: string | undefined;

/** SIGTERM: requests in flight get this long to end. */
const shutdownGraceMs = 2_000;
const id = z.coerce.number().int().positive().optional();
const Environment = z.object({
  MESHDESK_SOCKET: z.string().min(1),
  MESHDESK_STATE: z.string().min(1).optional(),
  MESHDESK_UID: id,
  MESHDESK_GID: id,
  MESHDESK_EXIT_WITH_PARENT: z.enum(['0', '1']).optional(),
  MESHDESK_LOG: z.enum(['info', 'warn', 'error']).default('info'),
});
type Environment = z.infer<typeof Environment>;

function write(line: string): void {
  process.stderr.write(line);
}

function fail(what: string, thrown: unknown): never {
  write(`${what}: ${thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)}\n`);
  process.exit(1);
}

function readEnvironment(): Environment {
  const read = Environment.safeParse(process.env);
  if (read.success) return read.data;
  for (const { path, message } of read.error.issues) write(`environment variable ${path.join('.')}: ${message}\n`);
  process.exit(2);
}

/** The socket's folder belongs to who we become and to nobody else; then root is given up for good. */
function dropPrivileges({ MESHDESK_SOCKET: socket, MESHDESK_UID: uid, MESHDESK_GID: gid }: Environment): void {
  if (uid === undefined || process.getuid?.() !== 0) return;
  const group = gid ?? uid;
  giveFolder(dirname(socket), uid, group);
  process.setgroups?.([group]);
  process.setgid?.(group);
  process.setuid?.(uid);
}

function giveFolder(folder: string, uid: number, gid: number): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    // After a restart it is theirs already, and without CAP_FOWNER root could not even change its mode.
    if (statSync(folder).uid === uid) return;
    chmodSync(folder, 0o700);
    chownSync(folder, uid, gid);
  } catch (error) {
    write(`${folder} could not be given to user ${uid}: ${toMessage(error)}\n`);
  }
}

function statePathOf({ MESHDESK_STATE: state, MESHDESK_SOCKET: socket }: Environment): string | null {
  if (state === 'off') return null;
  return state ?? (socket.startsWith('\\\\') ? null : `${socket}.state`);
}

process.on('uncaughtException', (error) => fail('a bug in the sidecar', error));
const environment = readEnvironment();
dropPrivileges(environment);
const sidecar = await startSidecar({
  socketPath: environment.MESHDESK_SOCKET,
  statePath: statePathOf(environment),
  logLevel: environment.MESHDESK_LOG,
  writeLog: write,
  program: `meshdesk-sidecar/${typeof __MESHDESK_VERSION__ === 'string' ? __MESHDESK_VERSION__ : 'dev'}`,
}).catch((error: unknown) => fail('the sidecar could not start', error));

const end = () => {
  void sidecar.close(shutdownGraceMs).then(() => process.exit(0));
};
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, end);
if (environment.MESHDESK_EXIT_WITH_PARENT === '1') process.stdin.resume().once('close', end);

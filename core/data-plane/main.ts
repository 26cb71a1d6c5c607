/**
 * The sidecar's process. Settings come from the environment:
 *
 *   MESHDESK_SOCKET   path of the control stream's socket (Unix socket, or named pipe on Windows); required
 *   MESHDESK_STATE    file of the last good state, `off` for none; default: next to the socket, none with a named pipe
 *   MESHDESK_UID, MESHDESK_GID   who to become before anything is opened, when started as root; default: nobody else
 *   MESHDESK_EXIT_WITH_PARENT   `1`: ends when stdin does, that is, with the process that started it
 *   MESHDESK_SHARE_PORTS  `1`: takes explicit ports over from an older sidecar that shares them (Linux); redirected ones: always
 *   MESHDESK_LOG      info, warn or error; default info
 */
import { chmodSync, chownSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { type LogLevel, toMessage } from './logger.ts';
import { startSidecar } from './sidecar.ts';

declare const __MESHDESK_VERSION__: string | undefined;

/** SIGTERM: requests in flight get this long to end. */
const shutdownGraceMs = 2_000;

interface Environment {
  readonly socket: string;
  readonly state: string | undefined;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  readonly exitWithParent: boolean;
  readonly sharePorts: boolean;
  readonly logLevel: LogLevel;
}

function write(line: string): void {
  process.stderr.write(line);
}

function fail(what: string, thrown: unknown): never {
  write(`${what}: ${thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)}\n`);
  process.exit(1);
}

/** Names every variable that is wrong, then ends the process with status 2. */
function readEnvironment(): Environment {
  const wrong: string[] = [];
  const variable = <T>(name: string, expected: string, read: (text: string) => T | null): T | undefined => {
    const text = process.env[name];
    if (text === undefined) return undefined;
    const value = read(text);
    if (value === null) wrong.push(`environment variable ${name}: expected ${expected}, got '${text}'`);
    return value ?? undefined;
  };
  const oneOf = <T extends string>(name: string, values: readonly T[]) =>
    variable(name, values.join(', '), (text) => values.find((value) => value === text) ?? null);
  const id = (name: string) =>
    variable(name, 'a positive number', (text) => (/^[1-9]\d{0,9}$/.test(text) ? Number(text) : null));
  const path = (name: string) => variable(name, 'a path', (text) => (text === '' ? null : text));
  const socket = path('MESHDESK_SOCKET');
  if (socket === undefined && wrong.length === 0) wrong.push('environment variable MESHDESK_SOCKET: is required');
  const environment = {
    socket: socket ?? '',
    state: path('MESHDESK_STATE'),
    uid: id('MESHDESK_UID'),
    gid: id('MESHDESK_GID'),
    exitWithParent: oneOf('MESHDESK_EXIT_WITH_PARENT', ['0', '1']) === '1',
    sharePorts: oneOf('MESHDESK_SHARE_PORTS', ['0', '1']) === '1',
    logLevel: oneOf('MESHDESK_LOG', ['info', 'warn', 'error']) ?? 'info',
  };
  if (wrong.length === 0) return environment;
  for (const line of wrong) write(`${line}\n`);
  process.exit(2);
}

/** The socket's folder belongs to who we become and to nobody else; then root is given up for good. */
function dropPrivileges({ socket, uid, gid }: Environment): void {
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

function statePathOf({ state, socket }: Environment): string | null {
  if (state === 'off') return null;
  return state ?? (socket.startsWith('\\\\') ? null : `${socket}.state`);
}

process.on('uncaughtException', (error) => fail('a bug in the sidecar', error));
const environment = readEnvironment();
dropPrivileges(environment);
const sidecar = await startSidecar({
  socketPath: environment.socket,
  statePath: statePathOf(environment),
  sharePorts: environment.sharePorts,
  logLevel: environment.logLevel,
  writeLog: write,
  program: `meshdesk-sidecar/${typeof __MESHDESK_VERSION__ === 'string' ? __MESHDESK_VERSION__ : 'dev'}`,
}).catch((error: unknown) => fail('the sidecar could not start', error));

const end = () => {
  void sidecar.close(shutdownGraceMs).then(() => process.exit(0));
};
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, end);
if (environment.exitWithParent) process.stdin.resume().once('close', end);

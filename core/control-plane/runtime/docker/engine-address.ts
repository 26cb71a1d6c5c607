/**
 * Which container engine to talk to, as the docker CLI would choose it: DOCKER_HOST, then DOCKER_CONTEXT or the current
 * context of ~/.docker/config.json, then the sockets where engines usually listen (Docker, Docker Desktop, Podman).
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import type Docker from 'dockerode';

export interface EngineAddress {
  /** For dockerode; `null` when nothing usable was found, `problem` says why. */
  readonly options: Docker.DockerOptions | null;
  /** `unix:///var/run/docker.sock`, `tcp://...`; for people. */
  readonly endpoint: string | null;
  readonly problem: string | null;
  /** True when the engine runs on this machine, so that a file of this machine fits its containers. */
  readonly local: boolean;
}

interface Tls {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

const read = (path: string): Buffer | undefined => (existsSync(path) ? readFileSync(path) : undefined);

function readJson(path: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null; // absent or broken: the CLI treats both as "no configuration"
  }
}

function readTls(dir: string): Tls {
  const files = { ca: read(join(dir, 'ca.pem')), cert: read(join(dir, 'cert.pem')), key: read(join(dir, 'key.pem')) };
  return Object.fromEntries(Object.entries(files).filter(([, value]) => value !== undefined));
}

/** `url` in the CLI's forms: unix://, npipe://, tcp://, http(s)://. */
function toAddress(url: string, tls: Tls | null): EngineAddress {
  const unusable = (problem: string): EngineAddress => ({ options: null, endpoint: url, problem, local: false });
  if (url.startsWith('unix://')) {
    const socketPath = url.slice('unix://'.length);
    return { options: { socketPath }, endpoint: url, problem: null, local: true };
  }
  if (url.startsWith('npipe://')) {
    const socketPath = url.slice('npipe://'.length).replaceAll('/', '\\');
    return { options: { socketPath }, endpoint: url, problem: null, local: false };
  }
  if (url.startsWith('ssh://')) {
    return unusable(`the engine's address ${url} uses SSH; forward its socket (ssh -L) and set DOCKER_HOST to it`);
  }
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed === null || !['tcp:', 'http:', 'https:'].includes(parsed.protocol)) {
    return unusable(`the engine's address '${url}' is not unix://, npipe://, tcp:// or https://`);
  }
  const secure = tls !== null || parsed.protocol === 'https:';
  const port = Number(parsed.port || (secure ? 2376 : 2375));
  return {
    options: { host: parsed.hostname, port, protocol: secure ? 'https' : 'http', ...(tls ?? {}) },
    endpoint: url,
    problem: null,
    local: false,
  };
}

function fromContext(name: string, dockerDir: string): EngineAddress | null {
  const id = createHash('sha256').update(name).digest('hex');
  const meta = readJson(join(dockerDir, 'contexts', 'meta', id, 'meta.json'));
  const endpoints = meta?.['Endpoints'] as { docker?: { Host?: string } } | undefined;
  const host = endpoints?.docker?.Host;
  if (host === undefined) {
    return { options: null, endpoint: null, problem: `Docker context '${name}' does not exist`, local: false };
  }
  const tls = readTls(join(dockerDir, 'contexts', 'tls', id, 'docker'));
  return toAddress(host, Object.keys(tls).length > 0 ? tls : null);
}

function defaultSockets(env: NodeJS.ProcessEnv): string[] {
  if (process.platform === 'win32') return ['npipe:////./pipe/docker_engine'];
  const runtimeDir = env['XDG_RUNTIME_DIR'] ?? `/run/user/${userInfo().uid}`;
  const paths = [
    '/var/run/docker.sock',
    join(homedir(), '.docker', 'run', 'docker.sock'),
    join(runtimeDir, 'docker.sock'),
    '/run/podman/podman.sock',
    join(runtimeDir, 'podman', 'podman.sock'),
  ];
  return paths.filter((path) => existsSync(path)).map((path) => `unix://${path}`);
}

/** Looks anew at each call: a context may be switched and a socket may appear while we run. */
export function findEngine(env: NodeJS.ProcessEnv = process.env): EngineAddress {
  const dockerDir = env['DOCKER_CONFIG'] ?? join(homedir(), '.docker');
  const host = env['DOCKER_HOST'];
  if (host) {
    const verify = env['DOCKER_TLS_VERIFY'] ? readTls(env['DOCKER_CERT_PATH'] ?? dockerDir) : null;
    return toAddress(host, verify);
  }
  const current = env['DOCKER_CONTEXT'] ?? readJson(join(dockerDir, 'config.json'))?.['currentContext'];
  if (typeof current === 'string' && current !== '' && current !== 'default') {
    const address = fromContext(current, dockerDir);
    if (address !== null) return address;
  }
  const [socket] = defaultSockets(env);
  if (socket !== undefined) return toAddress(socket, null);
  return { options: null, endpoint: null, problem: 'no engine socket was found on this machine', local: false };
}

/** The image of the real programs that are sent through the mesh: databases, web servers and their clients. */
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type Docker from 'dockerode';
import { collectHostRootfs, type RootfsEntry } from '../../core/control-plane/runtime/docker/image/host-rootfs.ts';
import { findPart } from '../e2e/support/parts.ts';
import { ensureRootfsImage } from './docker-image.ts';
import { dockerProblem } from './docker-mesh.ts';

const postgresPrograms = ['postgres', 'initdb', 'psql', 'pgbench'];
const programs = [
  'redis-server',
  'redis-cli',
  'redis-benchmark',
  'nginx',
  'curl',
  'h2load',
  'sha256sum',
  'wc',
  'timeout',
];
/** Of what PostgreSQL loads when it runs, what a fresh database cluster needs. */
const postgresLibraries = ['plpgsql.so', 'dict_snowball.so'];
const zones = ['UTC', 'Etc/UTC', 'GMT'];
const users = { root: 0, nginx: 33, postgres: 999 };
const modules = ['ws', '@grpc/grpc-js', '@js-sdsl/ordered-map'];

/** Where PostgreSQL's programs are; `null`: the programs cannot be tested here, and the reason was printed. */
export const postgresDir = (await dockerProblem()) === null ? findPart('programs') : null;

/** Every file below a folder, at its own path or at `as`. */
function* filesBelow(dir: string, as = dir): Generator<RootfsEntry> {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const [source, path] = [join(dir, entry.name), `${as}/${entry.name}`];
    if (entry.isDirectory()) yield* filesBelow(source, path);
    else if (existsSync(source)) yield { kind: 'file', path, source: realpathSync(source) };
  }
}

function collectEntries(bin: string): RootfsEntry[] {
  const version = basename(dirname(bin));
  const base = collectHostRootfs([...programs, ...postgresPrograms.map((name) => join(bin, name))]);
  const share = `/usr/share/postgresql/${version}`;
  const extra: RootfsEntry[] = [
    ...postgresLibraries.map((name) => join(dirname(bin), 'lib', name)),
    ...zones.map((name) => `/usr/share/zoneinfo/${name}`).filter((path) => existsSync(path)),
  ].map((path) => ({ kind: 'file', path, source: realpathSync(path) }));
  const wanted = readdirSync(share, { withFileTypes: true }).filter(({ name }) => !['man', 'contrib'].includes(name));
  for (const entry of wanted) {
    const path = join(share, entry.name);
    if (entry.isDirectory()) extra.push(...filesBelow(path));
    else if (existsSync(path)) extra.push({ kind: 'file', path, source: realpathSync(path) });
  }
  for (const name of modules) extra.push(...filesBelow(moduleFolder(name), `/app/node_modules/${name}`));
  const entries = new Map([...base, ...extra].map((entry) => [entry.path, entry]));
  return [...entries.values()].sort((a, b) => a.path.localeCompare(b.path));
}

function moduleFolder(name: string): string {
  for (let dir = import.meta.dirname; dir !== dirname(dir); dir = dirname(dir)) {
    const found = join(dir, 'node_modules', name);
    if (existsSync(found)) return found;
  }
  throw new Error(`${name} is not installed: run \`npm ci\``);
}

export async function ensureProgramImage(docker: Docker): Promise<string> {
  if (postgresDir === null) throw new Error('PostgreSQL is not installed here');
  const passwd = Object.entries(users).map(([name, id]) => `${name}:x:${id}:${id}:${name}:/tmp:/bin/sh\n`);
  const group = Object.entries(users).map(([name, id]) => `${name}:x:${id}:\n`);
  const texts = { '/etc/passwd': passwd.join(''), '/etc/group': group.join('') };
  return await ensureRootfsImage(docker, 'meshdesk-test/programs', collectEntries(postgresDir), texts, '/app');
}

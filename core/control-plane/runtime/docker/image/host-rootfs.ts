/**
 * A small root file system put together from this machine's own programs, for when no base image can be had: Node, a
 * shell, iptables and the libraries they need, found with ldd. Linux on the engine's own machine only.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { basename, isAbsolute, join } from 'node:path';
import { MeshError } from '../../../../contract/errors.ts';
import { findInPath, findNode } from '../../node-program.ts';

/** What one entry of the root file system is made of. */
export type RootfsEntry =
  | { readonly kind: 'file'; readonly path: string; readonly source: string }
  | { readonly kind: 'link'; readonly path: string; readonly target: string };

const families = ['iptables', 'ip6tables'];
const backends = ['', '-nft', '-legacy'];
const iptablesPrograms = families.flatMap((family) =>
  backends.flatMap((backend) => [`${family}${backend}-save`, `${family}${backend}-restore`]),
);
const optionalPrograms = ['socat', 'cat', 'grep', 'ls', 'id', 'ps', ...iptablesPrograms];
const pluginDirs = [
  '/usr/lib/x86_64-linux-gnu/xtables',
  '/usr/lib/aarch64-linux-gnu/xtables',
  '/usr/lib64/xtables',
  '/usr/lib/xtables',
];
/** Of the plugins, those that our rules and Docker's (when they are listed) use. */
const plugin =
  /^lib(xt|ipt|ip6t)_(REDIRECT|owner|tcp|udp|standard|DNAT|SNAT|MASQUERADE|addrtype|conntrack|comment)\.so$/;

/** Libraries of a program, as ldd prints them: `name => path (address)` or `path (address)`. */
function librariesOf(program: string): string[] {
  let printed: string;
  try {
    printed = execFileSync('ldd', [program], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return []; // statically linked, or a script
  }
  return [...printed.matchAll(/(?:=> )?(\/\S+) \(0x/g)].flatMap(([, path]) => (path === undefined ? [] : [path]));
}

class Rootfs {
  readonly entries = new Map<string, RootfsEntry>();

  addFile(path: string): void {
    if (this.entries.has(path)) return;
    this.entries.set(path, { kind: 'file', path, source: realpathSync(path) });
  }

  /** The program under its real name, with its libraries, and a link in /usr/bin for the name it is called by. */
  addProgram(name: string, found: string): void {
    const real = realpathSync(found);
    if (!this.entries.has(real)) {
      this.addFile(real);
      for (const library of librariesOf(real)) this.addFile(library);
    }
    const path = `/usr/bin/${name}`;
    if (path !== real) this.entries.set(path, { kind: 'link', path, target: real });
  }
}

function required(name: string, found: string | null): string {
  if (found !== null) return found;
  throw new MeshError(
    'IMAGE_BUILD_FAILED',
    `The sidecar image cannot be put together from this machine: ${name} is not installed here. Install it, or set MESHDESK_BASE_IMAGE to an image that has Node and iptables.`,
  );
}

/**
 * Entries sorted by path. `extra`: names or paths of more programs; those that are not here are left out. Throws
 * IMAGE_BUILD_FAILED when this machine lacks Node, a shell or iptables.
 */
export function collectHostRootfs(extra: readonly string[] = []): RootfsEntry[] {
  const rootfs = new Rootfs();
  rootfs.addProgram('node', required('node', findNode()));
  rootfs.addProgram('sh', required('sh', findInPath('sh')));
  rootfs.addProgram('sleep', required('sleep', findInPath('sleep')));
  required('iptables (iptables-restore)', findInPath('iptables-restore'));
  for (const name of [...optionalPrograms, ...extra]) {
    const found = isAbsolute(name) ? name : findInPath(name);
    if (found !== null) rootfs.addProgram(basename(name), found);
  }
  for (const dir of pluginDirs.filter((path) => existsSync(path))) {
    for (const file of readdirSync(dir).filter((name) => plugin.test(name))) rootfs.addFile(join(dir, file));
  }
  if (!rootfs.entries.has('/bin/sh'))
    rootfs.entries.set('/bin/sh', { kind: 'link', path: '/bin/sh', target: '/usr/bin/sh' });
  return [...rootfs.entries.values()].sort((a, b) => a.path.localeCompare(b.path));
}

/** The directory entries that tar needs before the files, sorted. */
export function parentsOf(entries: readonly RootfsEntry[]): string[] {
  const dirs = new Set<string>(['/tmp', '/run', '/proc', '/sys', '/dev', '/etc']);
  for (const { path } of entries) {
    const parts = path.split('/').slice(1, -1);
    for (let depth = 1; depth <= parts.length; depth += 1) dirs.add(`/${parts.slice(0, depth).join('/')}`);
  }
  return [...dirs].sort();
}

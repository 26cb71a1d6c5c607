/**
 * Makes a checkout ready to run: the right Node, the packages of the lock file. Says what it does, does nothing
 * when there is nothing to do, and needs no network then.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** `>=20.19` in the package's own words. */
const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const minimum = engines.node.replace('>=', '').split('.').map(Number);

/** @param {string} version such as `20.19.1` @returns {string | null} what to do about it; `null` when it will do */
export function nodeProblem(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > minimum[0] || (major === minimum[0] && minor >= minimum[1])) return null;
  return `Meshdesk needs Node ${minimum.join('.')} or newer; this is Node ${version}. Install a newer one (https://nodejs.org) and try again.`;
}

/** A failure that the user can do something about: printed without a stack. */
export class SetupError extends Error {}

const longestTurnMs = 15 * 60_000;
/** A folder with the number of the process whose turn it is as a file's name: never half written. */
const turnOf = (name) => join(root, '.build', name);

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/**
 * Two starts of one checkout at once would take each other's files away: waits until nobody else does it.
 * @param {string} name of the turn @param {(line: string) => void} say
 * @returns {{ brokenOff: boolean, end: () => void }} brokenOff: whoever had the turn before was killed
 */
export function takeTurn(name, say) {
  const folder = turnOf(name);
  for (let told = false; ; told = true) {
    const pid = existsSync(folder) ? Number(readdirSync(folder)[0] ?? Number.NaN) : Number.NaN;
    const since = statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (!(pid > 0) || pid === process.pid || !isAlive(pid) || Date.now() - since > longestTurnMs) {
      const end = () => rmSync(folder, { force: true, recursive: true });
      end();
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, String(process.pid)), '');
      return { brokenOff: pid > 0, end };
    }
    if (!told) say(`waiting for another start of this checkout (process ${pid}, ${name})`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  }
}

function runInstall(present, say) {
  say(present ? 'the lock file has changed: installing packages (npm ci)' : 'installing packages (npm ci), once');
  const result = spawnSync(npm, ['ci', '--prefer-offline', '--no-audit', '--no-fund'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: isWindows,
  });
  if (result.error) {
    throw new SetupError(`npm cannot be started: ${result.error.message}. It comes with Node (https://nodejs.org).`);
  }
  if (result.status !== 0) {
    throw new SetupError(
      'npm ci failed; its message is above. A first start needs a connection to an npm registry (npm config set proxy, where ' +
        'there is one), and a folder for npm’s cache that can be written to (npm_config_cache names another one).',
    );
  }
}

function installPackages(say) {
  const lock = readFileSync(join(root, 'package-lock.json'));
  const hash = createHash('sha256').update(lock).update(process.version.split('.')[0]).digest('hex');
  const stamp = join(root, 'node_modules', '.meshdesk-lock');
  const isReady = () => existsSync(stamp) && readFileSync(stamp, 'utf8') === hash;
  if (isReady() && !existsSync(turnOf('installing'))) return;
  const turn = takeTurn('installing', say);
  try {
    const present = !turn.brokenOff && existsSync(join(root, 'node_modules', 'vite', 'package.json'));
    if (present && isReady()) return;
    // Packages that `npm ci` or `npm install` put there already are taken as they are when they fit the lock file.
    const fits = () =>
      spawnSync(npm, ['ls', '--all', '--silent'], { cwd: root, stdio: 'ignore', shell: isWindows }).status === 0;
    if (!present || !fits()) runInstall(present, say);
    writeFileSync(stamp, hash);
  } finally {
    turn.end();
  }
}

const isWindows = process.platform === 'win32';
const npm = isWindows ? 'npm.cmd' : 'npm';

/** @param {(line: string) => void} say @throws {SetupError} */
export function bootstrap(say) {
  const problem = nodeProblem(process.versions.node);
  if (problem) throw new SetupError(problem);
  installPackages(say);
}

const unwritable = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOSPC']);

/** Runs a script's main function; a `SetupError` ends it with its message and code 1. @param {() => Promise<number>} main */
export async function run(main) {
  try {
    process.exitCode = await main();
  } catch (error) {
    if (!(error instanceof SetupError || unwritable.has(error.code))) throw error;
    const cure =
      error instanceof SetupError ? '' : `. ${root} is built where it lies: it needs room, and your right to write.`;
    console.error(`meshdesk: ${error.message}${cure}`);
    process.exitCode = 1;
  }
}

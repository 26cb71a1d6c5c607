/**
 * Makes a checkout ready to run: the right Node, the packages of the lock file. Says what it does, does nothing
 * when there is nothing to do, and needs no network then.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
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

function installPackages(say) {
  const lock = readFileSync(join(root, 'package-lock.json'));
  const hash = createHash('sha256').update(lock).update(process.version.split('.')[0]).digest('hex');
  const stamp = join(root, 'node_modules', '.meshdesk-lock');
  const present = existsSync(join(root, 'node_modules', 'vite', 'package.json'));
  if (present && existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return;
  // Packages that `npm ci` or `npm install` put there already are taken as they are when they fit the lock file.
  const fits = () =>
    spawnSync(npm, ['ls', '--all', '--silent'], { cwd: root, stdio: 'ignore', shell: isWindows }).status === 0;
  if (!present || !fits()) {
    say(present ? 'the lock file has changed: installing packages (npm ci)' : 'installing packages (npm ci), once');
    const result = spawnSync(npm, ['ci', '--prefer-offline', '--no-audit', '--no-fund'], {
      cwd: root,
      stdio: ['ignore', 2, 2],
      shell: isWindows,
    });
    if (result.status !== 0) {
      throw new SetupError('npm ci failed; its message is above. A first start needs a connection to an npm registry.');
    }
  }
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, hash);
}

const isWindows = process.platform === 'win32';
const npm = isWindows ? 'npm.cmd' : 'npm';

/** @param {(line: string) => void} say @throws {SetupError} */
export function bootstrap(say) {
  const problem = nodeProblem(process.versions.node);
  if (problem) throw new SetupError(problem);
  installPackages(say);
}

/** Runs a script's main function; a `SetupError` ends it with its message and code 1. @param {() => Promise<number>} main */
export async function run(main) {
  try {
    process.exitCode = await main();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(`meshdesk: ${error.message}`);
    process.exitCode = 1;
  }
}

/** Finds an Electron that can start on this machine, or says why there is none. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from './bootstrap.mjs';

const downloadLimitMs = 180_000;
const packageDir = join(root, 'node_modules', 'electron');
const failedStamp = join(root, '.build', 'electron-download-failed');

const platformPath =
  {
    darwin: 'Electron.app/Contents/MacOS/Electron',
    win32: 'electron.exe',
  }[process.platform] ?? 'electron';

function installedBinary() {
  const override = process.env.ELECTRON_OVERRIDE_DIST_PATH;
  const binary = join(override || join(packageDir, 'dist'), platformPath);
  return existsSync(binary) ? binary : null;
}

/** The package's own download, once per version: a machine that cannot reach it is not made to wait at every start. */
function download(say) {
  if (process.env.ELECTRON_OVERRIDE_DIST_PATH) return 'ELECTRON_OVERRIDE_DIST_PATH names a folder without an Electron';
  if (!existsSync(join(packageDir, 'install.js'))) return 'the electron package is not installed';
  const version = JSON.parse(readFileSync(join(packageDir, 'package.json'), 'utf8')).version;
  if (existsSync(failedStamp) && readFileSync(failedStamp, 'utf8') === version) {
    return `its download failed before (delete ${join('.build', 'electron-download-failed')} to try again)`;
  }
  say(`fetching Electron ${version}, once (at most ${downloadLimitMs / 60_000} minutes)`);
  const result = spawnSync(process.execPath, [join(packageDir, 'install.js')], {
    cwd: root,
    stdio: 'pipe',
    encoding: 'utf8',
    timeout: downloadLimitMs,
  });
  if (result.status === 0 && installedBinary()) return null;
  mkdirSync(dirname(failedStamp), { recursive: true });
  writeFileSync(failedStamp, version);
  const reason = result.error ? 'it took too long' : firstLine(result.stderr);
  return `its download failed: ${reason}`;
}

const firstLine = (text) =>
  (text ?? '')
    .split('\n')
    .find((line) => line.trim() !== '')
    ?.trim() ?? 'no message';

function displayProblem() {
  if (process.platform !== 'linux') return null;
  if (process.env.DISPLAY || process.env.WAYLAND_DISPLAY) return null;
  return 'there is no display (neither DISPLAY nor WAYLAND_DISPLAY is set)';
}

/** Whether the binary and its libraries load: it prints its version as a plain Node. */
function loadProblem(binary) {
  const result = spawnSync(binary, ['-p', 'process.versions.electron'], {
    env: { ...process.env, ELECTRON_RUN_AS_NODE: '1' },
    encoding: 'utf8',
    timeout: 30_000,
  });
  if (result.status === 0) return null;
  return `Electron does not start: ${result.error ? result.error.message : firstLine(result.stderr)}`;
}

/** Chromium's sandbox refuses to run as root on Linux. */
export const sandboxArguments = () =>
  process.platform === 'linux' && process.getuid?.() === 0 ? ['--no-sandbox'] : [];

/**
 * @param {{ say: (line: string) => void, needsDisplay?: boolean, mayDownload?: boolean }} options
 * @returns {{ binary: string } | { reason: string }}
 */
export function findElectron({ say, needsDisplay = true, mayDownload = true }) {
  const noDisplay = needsDisplay ? displayProblem() : null;
  if (noDisplay) return { reason: noDisplay };
  if (!installedBinary()) {
    const problem = mayDownload ? download(say) : 'its binary is not installed';
    if (problem) return { reason: `Electron is missing: ${problem}` };
    rmSync(failedStamp, { force: true });
  }
  const binary = installedBinary();
  const problem = loadProblem(binary);
  return problem ? { reason: problem } : { binary };
}

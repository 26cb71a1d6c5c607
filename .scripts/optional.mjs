/**
 * What tests can use on this machine beyond Node: `docker`, `browser`, `electron`, `istio`, `programs`, `peers`. Each is found here and only
 * here; a part that is missing has a reason. `node .scripts/optional.mjs` prints them as JSON.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findElectron } from './electron-runtime.mjs';

/** @typedef {{ ok: true, path: string | null } | { ok: false, reason: string }} Part */

function onPath(name) {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    if (folder !== '' && existsSync(join(folder, name))) return join(folder, name);
  }
  return null;
}

function findDocker() {
  if (process.env.MESHDESK_DOCKER === 'off') return { ok: false, reason: 'MESHDESK_DOCKER=off' };
  const command = onPath(process.platform === 'win32' ? 'docker.exe' : 'docker');
  if (command === null) return { ok: false, reason: 'there is no docker command' };
  const result = spawnSync(command, ['version', '--format', '{{.Server.Version}}'], {
    encoding: 'utf8',
    timeout: 10_000,
  });
  if (result.status === 0) return { ok: true, path: command };
  return { ok: false, reason: `no Docker engine answers: ${(result.stderr ?? '').trim().split('\n').at(-1)}` };
}

async function findBrowser() {
  const asked = process.env.MESHDESK_CHROMIUM;
  if (asked)
    return existsSync(asked)
      ? { ok: true, path: asked }
      : { ok: false, reason: `MESHDESK_CHROMIUM: there is no ${asked}` };
  for (const name of ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']) {
    const path = onPath(name);
    if (path !== null) return { ok: true, path };
  }
  const { chromium } = await import('playwright');
  const path = chromium.executablePath();
  if (existsSync(path)) return { ok: true, path };
  return {
    ok: false,
    reason: 'there is no Chromium (install one, set MESHDESK_CHROMIUM, or run `npx playwright install chromium`)',
  };
}

/** Tests start a virtual display themselves when there is none. */
function findTestElectron() {
  const display = process.platform !== 'linux' || process.env.DISPLAY || process.env.WAYLAND_DISPLAY || onPath('Xvfb');
  if (!display) return { ok: false, reason: 'there is no display and no Xvfb' };
  const found = findElectron({ say: () => undefined, needsDisplay: false, mayDownload: false });
  return 'binary' in found ? { ok: true, path: found.binary } : { ok: false, reason: found.reason };
}

function findIstio() {
  const asked = process.env.MESHDESK_ISTIOCTL;
  const path = asked ? [join(asked, 'istioctl'), asked].find((name) => existsSync(name)) : onPath('istioctl');
  if (path) return { ok: true, path };
  return { ok: false, reason: 'there is no istioctl (put it on the PATH or set MESHDESK_ISTIOCTL)' };
}

/** Programs that are sent through the mesh in containers; the path is the folder of PostgreSQL's own. */
function findPrograms() {
  if (process.platform !== 'linux') return { ok: false, reason: 'test images are made of a Linux machine’s programs' };
  const names = ['redis-server', 'redis-cli', 'redis-benchmark', 'nginx', 'curl', 'h2load', 'openssl'];
  const missing = names.filter((name) => onPath(name) === null && !existsSync(join('/usr/sbin', name)));
  const path = findPostgres();
  if (path === null) missing.push('the server and pgbench of PostgreSQL');
  return missing.length === 0 && path !== null
    ? { ok: true, path }
    : { ok: false, reason: `there is no ${missing.join(', no ')}` };
}

/** Debian's programs in the PATH are scripts that choose one of the installed versions; this is the newest of those. */
function findPostgres() {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = versions.map((version) => join(root, version, 'bin'));
  return (
    folders.find((folder) =>
      ['postgres', 'initdb', 'psql', 'pgbench'].every((name) => existsSync(join(folder, name))),
    ) ?? null
  );
}

/** Proxies that the sidecar is compared with; servers are not in everybody's PATH. */
function findPeers() {
  const missing = ['nginx', 'haproxy'].filter((name) => onPath(name) === null && !existsSync(join('/usr/sbin', name)));
  return missing.length === 0
    ? { ok: true, path: null }
    : { ok: false, reason: `there is no ${missing.join(', no ')}` };
}

/** @returns {Promise<Record<'docker' | 'browser' | 'electron' | 'istio' | 'programs' | 'peers', Part>>} */
export async function findOptionalParts() {
  return {
    docker: findDocker(),
    browser: await findBrowser(),
    electron: findTestElectron(),
    istio: findIstio(),
    programs: findPrograms(),
    peers: findPeers(),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(JSON.stringify(await findOptionalParts()));

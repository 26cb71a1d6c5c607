/**
 * What tests can use on this machine beyond Node: `docker`, `browser`, `electron`, `istio`. Each is found here and only
 * here; a part that is missing has a reason. `node .scripts/optional.mjs` prints them as JSON.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
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

/** @returns {Promise<Record<'docker' | 'browser' | 'electron' | 'istio', Part>>} */
export async function findOptionalParts() {
  return { docker: findDocker(), browser: await findBrowser(), electron: findTestElectron(), istio: findIstio() };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(JSON.stringify(await findOptionalParts()));

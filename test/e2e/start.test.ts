/** `npm start` as a program: what it says, what it serves, and that nothing is left when it ends. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { findPart, root } from './support/parts.ts';
import { call, startDesktop } from './support/product.ts';

const script = join(root, '.scripts', 'start.mjs');
let home: string;
const started: ChildProcess[] = [];

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'meshdesk-start-'));
});
afterEach(async () => {
  for (const child of started.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
  await rm(home, { recursive: true, force: true });
});

function start(args: readonly string[]) {
  const { DISPLAY: _display, WAYLAND_DISPLAY: _wayland, ...env } = process.env;
  const child = spawn(process.execPath, [script, ...args], {
    cwd: home,
    env: { ...env, MESHDESK_HOME: home, MESHDESK_DOCKER: 'off', INIT_CWD: home },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.push(child);
  const said = { out: '', err: '' };
  child.stdout.on('data', (data) => (said.out += data));
  child.stderr.on('data', (data) => (said.err += data));
  return { child, said };
}

describe('npm start', () => {
  it('prints its options', () => {
    const { stdout, status } = spawnSync(process.execPath, [script, '--help'], { encoding: 'utf8' });
    expect(status).toBe(0);
    for (const option of ['--sample', '--project', '--port', '--headless', '--browser'])
      expect(stdout).toContain(option);
  });

  it.each([
    [['--bogus'], "unknown option '--bogus'"],
    [['--port'], '--port needs a value'],
  ])('refuses %j', (args, message) => {
    const { stderr, status } = spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' });
    expect(status).toBe(1);
    expect(stderr).toContain(message);
  });

  it.skipIf(process.platform !== 'linux')(
    'says why it opens no window, and serves the page on loopback to one browser',
    async () => {
      const { child, said } = start([]);
      const [address] = await eventually('an address', () =>
        /http:\/\/127\.0\.0\.1:\d+\/\S*token=\S+/.exec(said.out + said.err),
      );
      expect(said.err).toContain('there is no display');
      const first = await fetch(address, { redirect: 'manual' });
      expect(first.status).toBeGreaterThanOrEqual(300);
      expect(first.headers.get('set-cookie')).toMatch(/HttpOnly/i);
      const cookie = (first.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
      const page = await fetch(new URL('/', address), { headers: { cookie } });
      expect(await page.text()).toContain('<title>Meshdesk</title>');
      expect((await fetch(address, { redirect: 'manual' })).headers.get('set-cookie')).toBeNull();
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      expect(await ended).toEqual([0, null]);
    },
  );

  it('serves the sample shop headless, on the port and project that were asked for', async () => {
    const project = join(home, 'shop');
    const { child, said } = start(['--headless', '--json', '--sample', '--project', project, '--port=0']);
    const line = await eventually('the line of --json', () => /^\{.*\}$/m.exec(said.out)?.[0]);
    const ready = JSON.parse(line) as { url: string; token: string; project: string };
    expect(ready.project).toBe(project);
    const ask = async () => {
      const response = await fetch(new URL('/api/call', ready.url), {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${ready.token}` },
        body: JSON.stringify({ method: 'mesh.status', input: {} }),
      });
      return ((await response.json()) as { output: { sample: string; sidecars: { acked: number } } }).output;
    };
    await eventually('the shop in the mesh', async () => (await ask()).sidecars.acked === 8);
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    await expect(fetch(ready.url)).rejects.toThrow();
  });
});

const electron = findPart('electron');

describe.skipIf(electron === null)('the desktop', () => {
  const isAlive = (pid: number) => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };

  it('ends with everything it started when it gets a signal', async () => {
    const desktop = await startDesktop(electron ?? '', ['--sample']);
    const workloads = await eventually('the shop in the mesh', async () => {
      const list = await call(desktop.page, 'workload.list', {});
      return list.length === 8 && list.every(({ mesh }) => mesh === 'attached') && list;
    });
    const pids = workloads.map(({ stateText }) => Number(/^pid (\d+)$/.exec(stateText)?.[1]));
    expect(pids.filter(isAlive)).toHaveLength(8);
    const child = desktop.application?.process();
    if (!child) throw new Error('the desktop has no process');
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    await eventually('no process of the shop', () => pids.every((pid) => !isAlive(pid)));
    await desktop.close();
  });

  it('opens one instance: the second one says so and ends', async () => {
    const desktop = await startDesktop(electron ?? '');
    const running = desktop.application?.process();
    const home = await desktop.application?.evaluate(() => ({
      home: process.env['MESHDESK_HOME'] ?? '',
      display: process.env['DISPLAY'] ?? '',
    }));
    const sandbox = process.platform === 'linux' && process.getuid?.() === 0 ? ['--no-sandbox'] : [];
    const second = spawnSync(electron ?? '', [...sandbox, root], {
      encoding: 'utf8',
      timeout: 120_000,
      env: { ...process.env, MESHDESK_HOME: home?.home, DISPLAY: home?.display },
    });
    expect(second.status).toBe(0);
    expect(second.stderr).toContain('it runs already');
    expect(running?.exitCode).toBeNull();
    await desktop.close();
  });
});

/** What the page may not do on the desktop, tried from inside the page. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findPart } from './support/parts.ts';
import { call, type Product, startDesktop } from './support/product.ts';

const program = findPart('electron');

describe.skipIf(program === null)('the desktop keeps its page in', () => {
  let desktop: Product;
  const windows = () => desktop.application?.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows().length);

  beforeAll(async () => {
    desktop = await startDesktop(program ?? '');
    await desktop.page.getByRole('button', { name: 'Start the sample shop' }).waitFor();
  });
  afterAll(() => desktop?.close());

  it('gives the page the documented bridge, frozen, and nothing of Electron or Node', async () => {
    const seen = await desktop.page.evaluate(() => {
      const bridge = window.meshdesk;
      return {
        members: Object.keys(bridge ?? {}).sort(),
        platform: Object.keys(bridge?.platform ?? {}).sort(),
        kind: bridge?.platform.kind,
        foreign: ['require', 'process', 'module', 'Buffer', 'ipcRenderer', 'electron'].filter((name) => name in window),
      };
    });
    expect(seen).toEqual({
      members: ['call', 'listen', 'platform'],
      platform: ['chooseFolder', 'kind'],
      kind: 'electron',
      foreign: [],
    });
  });

  it('runs the page sandboxed, isolated and without Node', async () => {
    const preferences = await desktop.application?.evaluate(({ BrowserWindow }) => {
      const contents = BrowserWindow.getAllWindows()[0]?.webContents as unknown as { getLastWebPreferences(): object };
      return contents.getLastWebPreferences();
    });
    expect(preferences).toMatchObject({
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      webSecurity: true,
    });
  });

  it('opens no window', async () => {
    const opened = await desktop.page.evaluate(() => [window.open('https://example.com'), window.open('about:blank')]);
    expect(opened).toEqual([null, null]);
    expect(await windows()).toBe(1);
  });

  it.each(['https://example.com/', 'file:///etc/passwd', 'http://127.0.0.1:9/', 'data:text/html,x'])(
    'does not go to %s',
    async (target) => {
      await desktop.page.evaluate((url) => window.location.assign(url), target);
      await expect(call(desktop.page, 'mesh.status', {})).resolves.toMatchObject({ ready: true });
      expect(desktop.page.url()).toMatch(/^meshdesk:\/\/app\/index\.html/);
    },
  );

  it('reaches no network: fetch, WebSocket and images are refused', async () => {
    const results = await desktop.page.evaluate(async () => {
      const fetched = await fetch('http://127.0.0.1:9/').then(
        () => 'answered',
        () => 'refused',
      );
      const image = await new Promise((resolve) => {
        const element = new Image();
        element.onload = () => resolve('loaded');
        element.onerror = () => resolve('refused');
        element.src = 'http://127.0.0.1:9/x.png';
      });
      const socket = await new Promise((resolve) => {
        const connection = new WebSocket('ws://127.0.0.1:9/');
        connection.onopen = () => resolve('open');
        connection.onerror = () => resolve('refused');
      });
      return [fetched, image, socket];
    });
    expect(results).toEqual(['refused', 'refused', 'refused']);
  });

  it('serves only files of the built page', async () => {
    const statuses = await desktop.page.evaluate(async () => {
      const paths = [
        '/index.html',
        '/../electron/main.js',
        '/%2e%2e/electron/main.js',
        '/..%2f..%2fpackage.json',
        '/nothing.html',
      ];
      return Promise.all(paths.map(async (path) => (await fetch(path)).status));
    });
    expect(statuses).toEqual([200, 404, 404, 404, 404]);
  });

  it('sends a policy that allows scripts of the build only', async () => {
    const policy = await desktop.page.evaluate(async () =>
      (await fetch('/index.html')).headers.get('content-security-policy'),
    );
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'");
    expect(policy).not.toContain('unsafe-eval');
  });

  it('gets no permission but writing to the clipboard', async () => {
    const states = await desktop.page.evaluate(async () => {
      const names = ['geolocation', 'notifications', 'camera', 'microphone'] as unknown as PermissionName[];
      return Promise.all(names.map(async (name) => (await navigator.permissions.query({ name })).state));
    });
    expect(states).toEqual(['denied', 'denied', 'denied', 'denied']);
  });

  it('answers a call that is not in the contract with an error, not with an exception', async () => {
    const answer = await desktop.page.evaluate(() => window.meshdesk?.call('mesh.explode', {}));
    expect(answer).toMatchObject({ ok: false, error: { code: 'BAD_REQUEST' } });
  });

  it('tells events to whoever listens, and nothing after that', async () => {
    const seen = await desktop.page.evaluate(async () => {
      const names: string[] = [];
      const states: boolean[] = [];
      let heard: () => void = () => undefined;
      const stop = window.meshdesk?.listen(
        ({ name }) => {
          names.push(name);
          heard();
        },
        (connected) => states.push(connected),
      );
      if (names.length === 0) await new Promise<void>((resolve) => (heard = resolve));
      stop?.();
      const before = names.length;
      await window.meshdesk?.call('mesh.status', {});
      return { states, before, after: names.length };
    });
    expect(seen.states).toEqual([true]);
    expect(seen.before).toBeGreaterThan(0);
    expect(seen.after).toBe(seen.before);
  });
});

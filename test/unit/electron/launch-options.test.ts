import { describe, expect, it } from 'vitest';
import { readLaunchOptions } from '../../../electron/main/launch-options.ts';

describe('the desktop’s launch options', () => {
  it('are the defaults for a plain start', () => {
    expect(readLaunchOptions(['electron', '.'], {})).toEqual({
      project: null,
      port: null,
      sample: false,
      docker: true,
      close: 'ask',
      userDataDir: null,
    });
  });

  it('are read between Chromium’s own switches, in both spellings', () => {
    const argv = ['electron', '--no-sandbox', '/app', '--project', '/mesh', '--port=4180', '--sample'];
    expect(readLaunchOptions(argv, {})).toMatchObject({ project: '/mesh', port: 4180, sample: true });
    expect(readLaunchOptions(['electron', '.', '--project=/mesh', '--port', '0'], {})).toMatchObject({
      project: '/mesh',
      port: 0,
    });
  });

  it.each(['http', '-1', '70000', '1.5'])('ignore %s as a port', (port) => {
    expect(readLaunchOptions(['electron', '.', '--port', port], {}).port).toBeNull();
  });

  it('take the close behaviour and the data folder from the environment', () => {
    const env = { MESHDESK_CLOSE: 'detach', MESHDESK_HOME: '/home/dev/mesh', MESHDESK_DOCKER: 'off' };
    expect(readLaunchOptions([], env)).toMatchObject({
      close: 'detach',
      userDataDir: '/home/dev/mesh/desktop',
      docker: false,
    });
    expect(readLaunchOptions([], { MESHDESK_CLOSE: 'explode' }).close).toBe('ask');
  });
});

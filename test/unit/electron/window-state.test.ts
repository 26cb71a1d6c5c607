import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../core/shared/logger.ts';
import {
  placeWindow,
  readWindowState,
  type WindowState,
  writeWindowState,
} from '../../../electron/main/window-state.ts';

const screen = { x: 0, y: 0, width: 1920, height: 1080 };
const second = { x: 1920, y: 0, width: 1280, height: 1024 };
const at = (x: number, y: number, width = 1200, height = 800): WindowState => ({
  version: 1,
  bounds: { x, y, width, height },
  maximized: false,
});

describe('where the window opens', () => {
  it('has the default size when nothing is remembered', () => {
    expect(placeWindow(null, [screen])).toEqual({ bounds: { width: 1320, height: 860 }, maximized: false });
  });

  it('fits a screen that is smaller than the default size', () => {
    expect(placeWindow(null, [{ x: 0, y: 0, width: 1024, height: 700 }]).bounds).toEqual({ width: 1024, height: 700 });
  });

  it('is where it was, on any display', () => {
    expect(placeWindow(at(2000, 50), [screen, second]).bounds).toEqual({ x: 2000, y: 50, width: 1200, height: 800 });
  });

  it('is forgotten when its display is gone', () => {
    expect(placeWindow(at(2000, 50), [screen]).bounds).toEqual({ width: 1320, height: 860 });
  });

  it.each([
    ['left of', at(-1190, 10)],
    ['right of', at(1900, 10)],
    ['above', at(100, -500)],
    ['below', at(100, 1070)],
  ])('is forgotten when its title bar would be %s the display', (_where, state) => {
    expect(placeWindow(state, [screen]).bounds).not.toHaveProperty('x');
  });

  it('never exceeds its display', () => {
    expect(placeWindow(at(0, 0, 5000, 4000), [screen]).bounds).toMatchObject({ width: 1920, height: 1080 });
  });
});

describe('the remembered window', () => {
  const folder = mkdtempSync(join(tmpdir(), 'window-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('comes back as it was written, into a folder that did not exist', () => {
    const file = join(folder, 'new', 'window.json');
    writeWindowState(file, at(10, 20), silentLogger);
    expect(readWindowState(file)).toEqual(at(10, 20));
  });

  it.each(['', '{"version":2}', '{"version":1,"bounds":{}}'])('is nothing when the file holds %j', (content) => {
    const file = join(folder, 'window.json');
    writeFileSync(file, content);
    expect(readWindowState(file)).toBeNull();
  });

  it('warns and goes on when it cannot be written', () => {
    const warnings: string[] = [];
    const log = { ...silentLogger, warn: (message: string) => void warnings.push(message) };
    writeWindowState(join(folder, 'window.json', 'not-a-folder.json'), at(1, 1), log);
    expect(warnings).toHaveLength(1);
  });
});

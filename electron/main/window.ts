import { join } from 'node:path';
import { BrowserWindow, nativeTheme, screen } from 'electron';
import type { Logger } from '../../core/shared/logger.ts';
import { startUrl } from './app-scheme.ts';
import { minimumSize, placeWindow, readWindowState, writeWindowState } from './window-state.ts';

export interface WindowOptions {
  /** Folder with the built `preload/`. */
  readonly distDir: string;
  readonly stateFile: string;
  readonly log: Logger;
}

/** The page's own background (`--bg`), shown until its first paint. */
const backgroundColor = () => (nativeTheme.shouldUseDarkColors ? '#0d1014' : '#f3f5f8');

/** Opens the one window. Rejects when the page cannot be loaded. */
export async function openWindow({ distDir, stateFile, log }: WindowOptions): Promise<BrowserWindow> {
  const areas = screen.getAllDisplays().map((display) => display.workArea);
  const { bounds, maximized } = placeWindow(readWindowState(stateFile), areas);
  const window = new BrowserWindow({
    ...bounds,
    minWidth: minimumSize.width,
    minHeight: minimumSize.height,
    title: 'Meshdesk',
    show: false,
    autoHideMenuBar: true,
    backgroundColor: backgroundColor(),
    webPreferences: {
      preload: join(distDir, 'preload', 'preload.cjs'),
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false,
      webSecurity: true,
      webviewTag: false,
      spellcheck: false,
      navigateOnDragDrop: false,
    },
  });
  if (maximized) window.maximize();
  const followTheme = () => window.setBackgroundColor(backgroundColor());
  nativeTheme.on('updated', followTheme);
  window.once('closed', () => nativeTheme.removeListener('updated', followTheme));
  window.once('ready-to-show', () => window.show());
  window.on('close', () => {
    const state = { version: 1 as const, bounds: window.getNormalBounds(), maximized: window.isMaximized() };
    writeWindowState(stateFile, state, log);
  });
  window.webContents.on('render-process-gone', (_event, { reason }) => {
    log.error(`the page's process ended (${reason}); it is loaded again`);
    if (reason !== 'clean-exit' && !window.isDestroyed()) window.webContents.reload();
  });
  await window.loadURL(startUrl);
  return window;
}

export function bringForward(window: BrowserWindow): void {
  if (window.isMinimized()) window.restore();
  window.show();
  window.focus();
}

/**
 * The desktop's main process, put together: the control plane runs here, one window shows it. Reads as a list, in the
 * order in which things start. Nothing of the mesh is decided here.
 */
import { join } from 'node:path';
import { app, BrowserWindow, dialog, Menu, session } from 'electron';
import { createContractClient } from '../../core/contract/client.ts';
import { MeshError } from '../../core/contract/errors.ts';
import { createStreamLogger, isLogLevel } from '../../core/control-plane/cli/stream-logger.ts';
import { startControlPlane } from '../../core/control-plane/control-plane.ts';
import { findProjectDir } from '../../core/control-plane/store/project.ts';
import { registerAppScheme, serveAppScheme } from './app-scheme.ts';
import { chooseFolder } from './choose-folder.ts';
import { handleClosing } from './closing.ts';
import { guardContents, guardSession } from './guards.ts';
import { serveIpc } from './ipc.ts';
import { createKeyProtector } from './key-protector.ts';
import { readLaunchOptions } from './launch-options.ts';
import { createMenu } from './menu.ts';
import { bringForward, openWindow } from './window.ts';

const options = readLaunchOptions(process.argv, process.env);
const level = process.env['MESHDESK_LOG'] ?? 'warn';
const log = createStreamLogger(process.stderr, isLogLevel(level) ? level : 'warn');

app.setName('Meshdesk');
if (options.userDataDir !== null) app.setPath('userData', options.userDataDir);
registerAppScheme();

async function start(): Promise<void> {
  await app.whenReady();
  const distDir = join(app.getAppPath(), 'dist');
  serveAppScheme(session.defaultSession, join(distDir, 'renderer'));
  guardSession(session.defaultSession);
  app.on('web-contents-created', (_event, contents) => guardContents(contents));
  Menu.setApplicationMenu(createMenu(process.platform));
  const starting = startControlPlane({
    projectDir: findProjectDir(options.project, process.cwd()),
    distDir,
    version: app.getVersion(),
    http: options.port === null ? null : { port: options.port },
    docker: options.docker,
    sample: options.sample,
    keyProtector: createKeyProtector(),
    log,
  });
  serveIpc({ starting, chooseFolder });
  // The window opens while the control plane starts; its calls wait.
  const opening = openWindow({ distDir, stateFile: join(app.getPath('userData'), 'window.json'), log });
  const [controlPlane, window] = await Promise.all([starting, opening]);
  const client = createContractClient(controlPlane.transport);
  handleClosing({ window, client, controlPlane, behaviour: options.close, log });
  app.on('second-instance', () => bringForward(window));
}

/** Says why it cannot start, in the terminal and to whoever has none, and ends. */
function fail(error: unknown): void {
  const message = error instanceof MeshError ? `${error.message}\n\n${error.hint}` : 'Meshdesk could not start.';
  if (error instanceof MeshError) process.stderr.write(`meshdesk: ${error.message} ${error.hint}\n`);
  else log.error('Meshdesk could not start', error);
  for (const window of BrowserWindow.getAllWindows()) window.destroy();
  if (!process.stderr.isTTY && process.env['MESHDESK_CLOSE'] === undefined) dialog.showErrorBox('Meshdesk', message);
  app.exit(1);
}

if (app.requestSingleInstanceLock()) start().catch(fail);
else {
  process.stderr.write(
    'meshdesk: it runs already; its window was brought forward. Close it to open another project.\n',
  );
  app.exit(0);
}

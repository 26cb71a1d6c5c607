/**
 * The product as a user starts it, for tests: in a browser (`npm start` without a display) and on the desktop. Both give
 * a page, a way to call the contract as the page does, and everything that went wrong in the page.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { _electron, type Browser, chromium, type ElectronApplication, type Page } from 'playwright';
import type { MethodInput, MethodName, MethodOutput } from '../../../core/contract/contract.ts';
import { openDisplay } from './display.ts';
import { root } from './parts.ts';

export interface Product {
  readonly kind: 'browser' | 'electron';
  readonly page: Page;
  readonly projectDir: string;
  /** The desktop's application; `null` in a browser. */
  readonly application: ElectronApplication | null;
  /** Errors of the page: exceptions, refused content, failed requests. */
  readonly pageErrors: string[];
  /** What the process said on stderr. */
  readonly output: string[];
  close(): Promise<void>;
}

const viewport = { width: 1320, height: 860 };
/** Chromium refuses its sandbox to root. */
const sandbox = process.platform === 'linux' && process.getuid?.() === 0 ? ['--no-sandbox'] : [];

/** For a start, and for a step in the page. */
const startsWithinMs = 120_000;
const stepWithinMs = 60_000;

function watch(page: Page): string[] {
  page.setDefaultTimeout(stepWithinMs);
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(`exception: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(`console: ${message.text()}`);
  });
  return errors;
}

async function makeFolders() {
  const base = await mkdtemp(join(tmpdir(), 'meshdesk-e2e-'));
  return {
    projectDir: join(base, 'project'),
    env: { MESHDESK_HOME: join(base, 'home'), MESHDESK_DOCKER: 'off', MESHDESK_CLOSE: 'detach' },
    remove: () => rm(base, { recursive: true, force: true }),
  };
}

function collect(child: ChildProcess, lines: string[]): void {
  if (child.stderr) createInterface({ input: child.stderr }).on('line', (line) => lines.push(line));
}

async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}

/** `npm start -- --browser`, with the address opened in Chromium; no container engine is looked for. */
export function startInBrowser(executablePath: string): Promise<Product> {
  return openPage(executablePath, ['.scripts/start.mjs', '--browser'], {});
}

/**
 * `meshdesk serve` on this machine's containers, with the address opened in Chromium. The sidecar image is made of this
 * machine's own files; whatever is attached at the end is detached.
 */
export function startOnContainers(executablePath: string): Promise<Product> {
  const args = ['dist/cli/meshdesk.js', 'serve', '--headless', '--detach-on-exit'];
  return openPage(executablePath, args, { MESHDESK_DOCKER: 'on', MESHDESK_SIDECAR_IMAGE: 'host' });
}

async function openPage(
  executablePath: string,
  command: readonly string[],
  settings: Readonly<Record<string, string>>,
): Promise<Product> {
  const { projectDir, env, remove } = await makeFolders();
  const output: string[] = [];
  const server = spawn(process.execPath, [...command, '--json', '--project', projectDir], {
    cwd: root,
    env: { ...process.env, ...env, ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  collect(server, output);
  const url = await readAddress(server, output);
  const browser: Browser = await chromium.launch({ executablePath, args: sandbox, timeout: startsWithinMs });
  const page = await (await browser.newContext({ viewport })).newPage();
  const pageErrors = watch(page);
  await page.goto(url);
  return {
    kind: 'browser',
    page,
    projectDir,
    application: null,
    pageErrors,
    output,
    close: async () => {
      await browser.close();
      await endProcess(server);
      await remove();
    },
  };
}

async function readAddress(server: ChildProcess, output: readonly string[]): Promise<string> {
  if (!server.stdout) throw new Error('the server has no stdout');
  const first = once(createInterface({ input: server.stdout }), 'line', {
    signal: AbortSignal.timeout(startsWithinMs),
  });
  const failed = once(server, 'exit').then(() => {
    throw new Error(`meshdesk ended before it was ready: ${output.join('\n')}`);
  });
  const [line] = (await Promise.race([first, failed])) as [string];
  return (JSON.parse(line) as { url: string }).url;
}

/** The desktop application in a real Electron, on a display of its own when there is none. */
export async function startDesktop(executablePath: string, args: readonly string[] = []): Promise<Product> {
  const { projectDir, env, remove } = await makeFolders();
  const display = await openDisplay();
  const output: string[] = [];
  const { ELECTRON_RUN_AS_NODE: _, ...inherited } = process.env;
  const application = await _electron.launch({
    executablePath,
    args: [...sandbox, root, '--project', projectDir, ...args],
    cwd: root,
    timeout: startsWithinMs,
    env: { ...inherited, ...env, ...(display.name ? { DISPLAY: display.name } : {}) } as Record<string, string>,
  });
  // Kept, because the application cannot be asked for it any more once it has ended.
  const child = application.process();
  collect(child, output);
  const page = await application.firstWindow({ timeout: startsWithinMs });
  const pageErrors = watch(page);
  await page.waitForLoadState('domcontentloaded');
  return {
    kind: 'electron',
    page,
    projectDir,
    application,
    pageErrors,
    output,
    close: async () => {
      const ended = child.exitCode === null ? once(child, 'exit') : Promise.resolve();
      // Closing the window is what a user does; the process ends once the control plane has.
      if (child.exitCode === null && child.signalCode === null) {
        await application.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.close());
        await ended;
      }
      await display.close();
      await remove();
    },
  };
}

/** Calls the contract from the page, over the page's own transport. Fails with the control plane's words. */
export async function call<M extends MethodName>(
  page: Page,
  method: M,
  input: MethodInput<M>,
): Promise<MethodOutput<M>> {
  const response = await page.evaluate(
    async ([name, body]) => {
      const bridge = window.meshdesk;
      if (bridge) return bridge.call(name, body);
      const answer = await fetch('/api/call', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ method: name, input: body }),
      });
      return answer.json() as ReturnType<NonNullable<typeof bridge>['call']>;
    },
    [method, input] as const,
  );
  if (!response.ok) throw new Error(`${method}: ${response.error.code} ${response.error.message}`);
  return response.output as MethodOutput<M>;
}

/**
 * `npm start`: makes the checkout ready, builds it, and opens Meshdesk: as a desktop application where Electron can
 * start, else in the browser.
 */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';
import { bootstrap, root, run, SetupError } from './bootstrap.mjs';

const usage = `npm start [-- OPTIONS]      opens Meshdesk

  --sample         starts the sample shop: small services on this machine with traffic between them
  --project DIR    the mesh project to open: a folder of YAML files (default: your own one)
  --port N         port on 127.0.0.1 for the browser (default: a free one)
  --browser        serves the browser even when Electron could start
  --headless       runs control plane and API only, opens nothing
  --help           prints this

Without a display or without Electron it says so and prints a 127.0.0.1 address for the browser.`;

const say = (line) => console.error(`meshdesk: ${line}`);

/** @param {string[]} argv @returns {{ help: boolean, browser: boolean, headless: boolean, pass: string[] }} */
function readArguments(argv) {
  const options = { help: false, browser: false, headless: false, pass: [] };
  for (let index = 0; index < argv.length; index++) {
    const [name, inline] = argv[index].split(/=(.*)/s);
    if (name === '--help' || name === '-h') options.help = true;
    else if (name === '--browser') options.browser = true;
    else if (name === '--sample' || name === '--json') options.pass.push(name);
    else if (name === '--headless') {
      options.headless = true;
      options.pass.push(name);
    } else if (name === '--port' || name === '--project') {
      const value = inline ?? argv[++index];
      if (value === undefined || value.startsWith('--')) throw new SetupError(`${name} needs a value.\n\n${usage}`);
      options.pass.push(name, value);
    } else throw new SetupError(`unknown option '${argv[index]}'.\n\n${usage}`);
  }
  return options;
}

/** Runs a program in the foreground; signals reach it from the terminal and are passed on when sent to us alone. */
function runProgram(command, args, env = process.env) {
  return new Promise((resolve, reject) => {
    // npm runs scripts in the package's folder; --project means the folder that the user is in.
    const child = spawn(command, args, { cwd: process.env.INIT_CWD ?? process.cwd(), stdio: 'inherit', env });
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
      process.on(signal, () => {
        // A terminal's Ctrl+C goes to the whole process group; only a signal meant for us has to be handed on.
        if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
      });
    }
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(code ?? 128 + (constants.signals[signal] ?? 0)));
  });
}

async function main() {
  const options = readArguments(process.argv.slice(2));
  if (options.help) {
    console.log(usage);
    return 0;
  }
  bootstrap(say);
  const { build } = await import('./build.mjs');
  const { findElectron, sandboxArguments } = await import('./electron-runtime.mjs');
  const electron = options.headless
    ? { reason: '--headless was given' }
    : options.browser
      ? { reason: '--browser was given' }
      : findElectron({ say });
  const parts = ['sidecar', 'sample', 'renderer', 'cli'];
  await build('binary' in electron ? [...parts, 'preload', 'electron'] : parts, say);
  if ('binary' in electron) {
    const { ELECTRON_RUN_AS_NODE: _, ...env } = process.env;
    return runProgram(electron.binary, [...sandboxArguments(), root, ...options.pass], env);
  }
  if (!options.headless) say(`opens in the browser: ${electron.reason}`);
  return runProgram(process.execPath, [join(root, 'dist/cli/meshdesk.js'), 'serve', ...options.pass]);
}

await run(main);

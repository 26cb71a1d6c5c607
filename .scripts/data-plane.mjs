/**
 * `NODE=/path/to/node npm run test:data-plane [-- ARGUMENTS OF VITEST]`: every suite of the data plane under another Node,
 * sidecar processes included; without NODE under this one. The sidecar has to run on all of 20.19 to 24.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { bootstrap, root, run, SetupError } from './bootstrap.mjs';

const say = (line) => console.error(`meshdesk: ${line}`);
const subjects = ['data-plane', 'data-plane-http', 'wire', 'http', 'http2', 'grpc', 'mux', 'tls', 'udp', 'tcp'];

/** Folders of tests that belong to the data plane. */
const suites = () =>
  ['unit', 'integration']
    .flatMap((project) => subjects.map((subject) => `test/${project}/${subject}/`))
    .filter((folder) => existsSync(join(root, folder)))
    .concat('test/conformance/');

await run(async () => {
  bootstrap(say);
  const { build } = await import('./build.mjs');
  await build(['sidecar'], say);
  const node = process.env.NODE ?? process.execPath;
  const { stdout, error } = spawnSync(node, ['--version'], { encoding: 'utf8' });
  if (error || !/^v\d/.test(stdout)) throw new SetupError(`NODE: ${node} is no Node.`);
  say(`the suites of the data plane under Node ${stdout.trim()}`);
  const projects = ['unit', 'integration', 'conformance'].flatMap((name) => ['--project', name]);
  const result = spawnSync(
    node,
    [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...projects, ...suites(), ...process.argv.slice(2)],
    { cwd: root, stdio: 'inherit', env: { ...process.env, NODE_ENV: 'test' } },
  );
  return result.status ?? 1;
});

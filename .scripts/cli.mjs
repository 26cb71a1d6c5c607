/** `npm run meshdesk -- ...`: the command line from a checkout. Builds what has changed; stdout belongs to the command. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { bootstrap, root, run } from './bootstrap.mjs';

const say = (line) => console.error(`meshdesk: ${line}`);

await run(async () => {
  bootstrap(say);
  const { build } = await import('./build.mjs');
  await build(['sidecar', 'sample', 'cli', ...(process.argv[2] === 'serve' ? ['renderer'] : [])], say);
  const result = spawnSync(process.execPath, [join(root, 'dist/cli/meshdesk.js'), ...process.argv.slice(2)], {
    cwd: process.env.INIT_CWD ?? process.cwd(),
    stdio: 'inherit',
  });
  return result.status ?? 1;
});

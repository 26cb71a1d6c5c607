/** `npm run fidelity [-- ...]`: builds test/fidelity/main.ts, runs it and passes the arguments on. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { bootstrap, root, run } from './bootstrap.mjs';

const external = ['cpu-features', 'ssh2', 'playwright'];

await run(async () => {
  bootstrap((line) => console.error(`meshdesk: ${line}`));
  const { build } = await import('vite');
  await build({
    root,
    configFile: false,
    logLevel: 'warn',
    ssr: { noExternal: true, external },
    build: {
      ssr: 'test/fidelity/main.ts',
      outDir: '.build/fidelity',
      emptyOutDir: true,
      target: 'node20.18',
      minify: false,
      rollupOptions: { external, output: { format: 'es', entryFileNames: 'main.mjs', codeSplitting: false } },
    },
  });
  const result = spawnSync(process.execPath, [join(root, '.build/fidelity/main.mjs'), ...process.argv.slice(2)], {
    cwd: root,
    stdio: 'inherit',
  });
  process.exitCode = result.status ?? 1;
});

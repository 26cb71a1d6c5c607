/** `npm run bench [-- ...]`: builds the product and test/bench/main.ts, runs it and passes the arguments on. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { bootstrap, root, run, SetupError } from './bootstrap.mjs';

const say = (line) => console.error(`meshdesk: ${line}`);
const entry = 'test/bench/main.ts';
/** Those that need more of the product than its sidecar. */
const productCases = ['start-up', 'attach', 'toggle', 'added-latency', 'many-workloads', 'push'];

const separatePrograms = [
  'load-worker',
  'stand-in-sidecars',
  'push-receivers',
  'load-generator',
  'bench-upstream',
  'proxy-program',
  'profiled-sidecar',
];

/** The sidecar without its counters, to tell what they cost. */
const silentTelemetry = {
  name: 'silent-telemetry',
  enforce: 'pre',
  resolveId: (source, importer) =>
    source === './telemetry/telemetry.ts' && importer?.endsWith('/sidecar.ts')
      ? join(root, 'test/bench/silent-telemetry.ts')
      : null,
};

async function buildProgram(source, fileName, emptyOutDir, plugins = []) {
  const { build: viteBuild } = await import('vite');
  const external = ['cpu-features', 'ssh2', 'playwright', 'koffi'];
  await viteBuild({
    root,
    configFile: false,
    plugins,
    logLevel: 'warn',
    ssr: { noExternal: true, external },
    build: {
      ssr: source,
      outDir: '.build/bench',
      emptyOutDir,
      target: 'node20.18',
      minify: false,
      sourcemap: emptyOutDir,
      rollupOptions: { external, output: { format: 'es', entryFileNames: fileName, codeSplitting: false } },
    },
  });
}

await run(async () => {
  bootstrap(say);
  if (!existsSync(join(root, entry))) throw new SetupError(`there is no ${entry}.`);
  const { build } = await import('./build.mjs');
  const asked = process.argv.slice(2).filter((each) => /^[a-z]/.test(each));
  const sidecarOnly = asked.length > 0 && asked.every((each) => !productCases.includes(each));
  await build(sidecarOnly ? ['sidecar'] : ['sidecar', 'sample', 'renderer', 'cli'], say);
  await buildProgram(entry, 'main.mjs', true);
  for (const name of separatePrograms) await buildProgram(`test/bench/${name}.ts`, `${name}.mjs`, false);
  await buildProgram('core/data-plane/main.ts', 'sidecar-silent.mjs', false, [silentTelemetry]);
  const result = spawnSync(process.execPath, [join(root, '.build/bench/main.mjs'), ...process.argv.slice(2)], {
    cwd: root,
    stdio: 'inherit',
  });
  return result.status ?? 1;
});

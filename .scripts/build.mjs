/**
 * Builds the product into dist/. `node .scripts/build.mjs [part...]`; parts: sidecar sample cli electron preload renderer.
 * A part is built again only when one of the files it is made of has changed; a part without its entry file is an error.
 */
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bootstrap, root, run, takeTurn } from './bootstrap.mjs';
import { lightSchemas } from './light-schemas.mjs';

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** A program for Node: one file, npm packages bundled unless listed as external. */
const program = (
  entry,
  outDir,
  fileName,
  { external = [], format = 'es', target = 'node20.18', copy = [], plugins = () => [] } = {},
) => ({
  outDir,
  inputs: ['core', 'electron', 'package.json', '.scripts/light-schemas.mjs', ...copy],
  copy,
  config: {
    get plugins() {
      return plugins();
    },
    define: { __MESHDESK_VERSION__: JSON.stringify(version) },
    ssr: { noExternal: true, external },
    build: {
      ssr: entry,
      target,
      minify: false,
      sourcemap: true,
      rollupOptions: {
        external,
        // How long a busy machine took is no concern of whoever starts the product.
        checks: { bundlerTimings: false },
        output: { format, entryFileNames: fileName, codeSplitting: false },
      },
    },
  },
});

const parts = {
  sidecar: program('core/data-plane/main.ts', 'dist/sidecar', 'sidecar.mjs', {
    external: ['koffi'],
    copy: ['core/data-plane/image'],
    plugins: () => [lightSchemas()],
  }),
  sample: program('core/control-plane/sample/service.ts', 'dist/sample', 'service.mjs'),
  cli: program('core/control-plane/cli/main.ts', 'dist/cli', 'meshdesk.js', { external: ['cpu-features', 'ssh2'] }),
  electron: program('electron/main/main.ts', 'dist/electron', 'main.js', {
    external: ['electron', 'cpu-features', 'ssh2'],
  }),
  preload: program('electron/preload/preload.ts', 'dist/preload', 'preload.cjs', {
    external: ['electron'],
    format: 'cjs',
  }),
  renderer: {
    outDir: 'dist/renderer',
    inputs: ['renderer', 'core', 'package.json'],
    copy: [],
    configFile: 'renderer/vite.config.ts',
    config: {},
  },
};

function* files(path) {
  if (statSync(path).isFile()) yield path;
  else for (const name of readdirSync(path).sort()) yield* files(join(path, name));
}

function hashOf(inputs) {
  const hash = createHash('sha256');
  for (const input of [...inputs, '.scripts/build.mjs']) {
    for (const file of files(join(root, input))) hash.update(file.slice(root.length)).update(readFileSync(file));
  }
  return hash.digest('hex');
}

const stampOf = (name) => join(root, '.build/stamps', name);

/** The part's hash when it has to be built; `null`: it is there. */
function staleHash(name) {
  const part = parts[name];
  if (!part) throw new Error(`unknown part '${name}'; parts: ${Object.keys(parts).join(' ')}`);
  const hash = hashOf(part.inputs);
  const stamp = stampOf(name);
  const isThere = existsSync(join(root, part.outDir)) && existsSync(stamp) && readFileSync(stamp, 'utf8') === hash;
  return isThere ? null : hash;
}

async function buildPart(name, hash, say) {
  const { build: viteBuild } = await import('vite');
  const part = parts[name];
  const outDir = join(root, part.outDir);
  const started = performance.now();
  rmSync(stampOf(name), { force: true });
  await viteBuild({
    root: part.configFile ? join(root, dirname(part.configFile)) : root,
    configFile: part.configFile ? join(root, part.configFile) : false,
    logLevel: 'warn',
    ...part.config,
    build: { ...part.config.build, outDir, emptyOutDir: true },
  });
  for (const folder of part.copy) cpSync(join(root, folder), outDir, { recursive: true });
  mkdirSync(dirname(stampOf(name)), { recursive: true });
  writeFileSync(stampOf(name), hash);
  say(`built ${name} in ${Math.round(performance.now() - started)} ms`);
}

/** @param {string[]} names @param {(line: string) => void} say */
export async function build(names, say) {
  const wanted = names.length > 0 ? names : Object.keys(parts);
  // What is there already needs no right to write.
  if (wanted.every((name) => staleHash(name) === null)) return;
  const turn = takeTurn('building', say);
  try {
    for (const name of wanted) {
      const hash = staleHash(name);
      if (hash !== null) await buildPart(name, hash, say);
    }
  } finally {
    turn.end();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await run(async () => {
    bootstrap((line) => console.error(`meshdesk: ${line}`));
    await build(process.argv.slice(2), (line) => console.log(line));
    return 0;
  });
}

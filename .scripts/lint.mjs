/**
 * `npm run lint`: format and lint rules, import directions, unused files and exports. A check that saw nothing fails:
 * the import check has to see every source file (its parser can silently understand none).
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './bootstrap.mjs';

const folders = ['core', 'electron', 'renderer'];
const bin = (name) => join(root, 'node_modules', '.bin', process.platform === 'win32' ? `${name}.cmd` : name);

function runTool(name, args) {
  const { status } = spawnSync(bin(name), args, { cwd: root, stdio: 'inherit', shell: process.platform === 'win32' });
  return status === 0;
}

/** dependency-cruiser reads every file as plain TypeScript; JSX has to be switched on for the files that have it. */
async function teachJsx() {
  const { default: swc } = await import('@swc/core');
  const parse = swc.parseFileSync;
  swc.parseFileSync = (file, options) => parse.call(swc, file, { ...options, tsx: file.endsWith('x') });
}

async function checkImports() {
  await teachJsx();
  const { cruise } = await import('dependency-cruiser');
  const { default: config } = await import('../.dependency-cruiser.cjs');
  const { output } = await cruise(folders, {
    ...config.options,
    ruleSet: { forbidden: config.forbidden },
    validate: true,
  });
  const { modules, summary } = output;
  for (const { from, to, rule } of summary.violations) console.error(`${rule.severity} ${rule.name}: ${from} -> ${to}`);
  const seen = new Set(modules.map(({ source }) => source));
  const unseen = sourceFiles().filter((file) => !seen.has(file));
  const edges = modules
    .filter(({ source }) => seen.has(source))
    .reduce((sum, { dependencies }) => sum + dependencies.length, 0);
  if (unseen.length > 0 || edges < sourceFiles().length) {
    console.error(
      `the import check understood too little: ${edges} imports, files not seen: ${unseen.join(', ') || 'none'}`,
    );
    return false;
  }
  console.log(`Imports: ${sourceFiles().length} files, ${edges} imports, ${summary.error} violations`);
  return summary.error === 0;
}

const sourceFiles = () =>
  folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
      .map((entry) =>
        join(entry.parentPath ?? entry.path, entry.name)
          .slice(root.length)
          .replaceAll('\\', '/')
          .replace(/^\/+/, ''),
      ),
  );

const checks = [() => runTool('biome', ['check', '.']), checkImports, () => runTool('knip', [])];
let passed = true;
for (const check of checks) passed = (await check()) && passed;
process.exitCode = passed ? 0 : 1;

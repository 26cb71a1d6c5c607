/**
 * `npm test [-- NAME...]`: makes the checkout ready, builds it, runs the tests and ends with one line,
 * `N passed, N failed, N skipped`. A NAME is a project (unit contract conformance integration docker e2e) or part of a file's path.
 * Tests that need something this machine lacks are skipped with the reason; MESHDESK_REQUIRE=docker,browser,electron,istio,programs,peers
 * makes a lack a failure.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { bootstrap, root, run, SetupError } from './bootstrap.mjs';

const projects = ['unit', 'contract', 'conformance', 'integration', 'docker', 'e2e'];
const say = (line) => console.error(`meshdesk: ${line}`);
const report = join(root, '.build', 'test-results.json');

/** Projects that have tests: vitest refuses to run one that has none. */
const present = () =>
  projects.filter((name) => {
    const folder = join(root, 'test', name);
    return existsSync(folder) && readdirSync(folder, { recursive: true }).some((file) => /\.test\.tsx?$/.test(file));
  });

function checkRequired(parts) {
  const required = (process.env.MESHDESK_REQUIRE ?? '').split(',').filter((name) => name !== '');
  for (const name of required) {
    const part = parts[name];
    if (part === undefined)
      throw new SetupError(`MESHDESK_REQUIRE: there is no '${name}'; parts: ${Object.keys(parts).join(' ')}`);
    if (!part.ok) throw new SetupError(`${name} is required (MESHDESK_REQUIRE), but ${part.reason}`);
  }
}

/** Counts from vitest's own report; a file that could not even be loaded counts as one failure. */
function summarize() {
  if (!existsSync(report)) return null;
  const result = JSON.parse(readFileSync(report, 'utf8'));
  const unloaded = result.testResults.filter(
    (file) => file.status === 'failed' && file.assertionResults.length === 0,
  ).length;
  return {
    passed: result.numPassedTests,
    failed: result.numFailedTests + unloaded,
    skipped: result.numPendingTests + result.numTodoTests,
  };
}

/** What the tests read instead of searching the machine again. */
const testEnvironment = (parts) => ({
  ...process.env,
  // The build has set it to production, in which React has no act().
  NODE_ENV: 'test',
  MESHDESK_OPTIONAL: JSON.stringify(parts),
  ...(parts.istio.ok ? { MESHDESK_ISTIOCTL: parts.istio.path } : {}),
});

async function main() {
  bootstrap(say);
  const { build } = await import('./build.mjs');
  await build([], say);
  const { findOptionalParts } = await import('./optional.mjs');
  const parts = await findOptionalParts();
  checkRequired(parts);
  for (const [name, part] of Object.entries(parts)) {
    if (!part.ok) say(`tests that need ${name} are skipped: ${part.reason}`);
  }

  const names = process.argv.slice(2);
  const chosen = names.filter((name) => projects.includes(name));
  const rest = names.filter((name) => !projects.includes(name));
  const selected = chosen.length > 0 ? chosen : present();
  rmSync(report, { force: true });
  mkdirSync(join(root, '.build'), { recursive: true });
  const result = spawnSync(
    process.execPath,
    [
      join(root, 'node_modules/vitest/vitest.mjs'),
      'run',
      ...selected.flatMap((name) => ['--project', name]),
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
      ...rest,
    ],
    { cwd: root, stdio: 'inherit', env: testEnvironment(parts) },
  );
  const counts = summarize();
  if (counts === null) throw new SetupError('vitest ended without a report; its message is above.');
  console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  if (counts.passed === 0) throw new SetupError('no test ran.');
  return counts.failed > 0 ? 1 : (result.status ?? 1);
}

await run(main);

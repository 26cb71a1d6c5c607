/**
 * `npm run fuzz -- [--seconds N] [--seed S]`: damaged streams against the HTTP/1.1 codec and whole sidecars, N seconds in all
 * (default 60) from seed S (default: a new one, which is printed). A stream that breaks a law is shrunk and printed.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { bootstrap, root, run, SetupError } from './bootstrap.mjs';

const say = (line) => console.error(`meshdesk: ${line}`);

await run(async () => {
  const { values } = parseArgs({ options: { seconds: { type: 'string' }, seed: { type: 'string' } } });
  const seconds = Number(values.seconds ?? 60);
  const seed = Number(values.seed ?? Math.floor(Math.random() * 0x7fff_ffff));
  if (!(seconds > 0) || !Number.isSafeInteger(seed))
    throw new SetupError('usage: npm run fuzz -- [--seconds N] [--seed S], both numbers.');
  bootstrap(say);
  say(`fuzzing for ${seconds} s from seed ${seed}`);
  const result = spawnSync(
    process.execPath,
    [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--project', 'conformance', 'test/conformance/fuzz.test.ts'],
    {
      cwd: root,
      stdio: 'inherit',
      env: {
        ...process.env,
        NODE_ENV: 'test',
        MESHDESK_FUZZ_SECONDS: String(seconds),
        MESHDESK_FUZZ_SEED: String(seed),
      },
    },
  );
  return result.status ?? 1;
});

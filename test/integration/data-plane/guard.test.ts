/** The guard with a stand-in for the sidecar: a real shell, real processes, real signals. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';

const guardPath = fileURLToPath(new URL('../../../core/data-plane/image/guard.sh', import.meta.url));
let home: string;
let guard: ChildProcess | null = null;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'guard-'));
  await writeFile(join(home, 'rules.sh'), `echo "$1" >> ${home}/rules.log`);
});

afterEach(async () => {
  if (guard?.exitCode === null) {
    guard.kill('SIGTERM');
    await once(guard, 'exit');
  }
  guard = null;
  await rm(home, { recursive: true, force: true });
});

/** `code`: the sidecar's program; its process id is added to `starts` first. */
async function startGuard(code: string): Promise<ChildProcess> {
  const note = `import { appendFileSync } from 'node:fs'; appendFileSync('${home}/starts', process.pid + '\\n');`;
  await writeFile(join(home, 'sidecar.mjs'), `${note}\n${code}`);
  guard = spawn('/bin/sh', [guardPath], {
    env: { PATH: process.env.PATH ?? '', MESHDESK_HOME: home, MESHDESK_NODE: process.execPath },
    stdio: 'ignore',
  });
  return guard;
}

function lines(name: string): string[] {
  const path = join(home, name);
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
}

describe.skipIf(process.platform !== 'linux')('guard.sh', () => {
  it('starts the sidecar again when it was killed', async () => {
    await startGuard('setInterval(() => undefined, 1000);');
    await eventually('the first start', () => lines('starts').length === 1);
    process.kill(Number(lines('starts')[0]), 'SIGKILL');
    await eventually('the second start', () => lines('starts').length === 2);
    expect(lines('rules.log')).toEqual([]);
  });

  it('removes the rules when the sidecar keeps dying', async () => {
    await startGuard('process.exit(1);');
    await eventually('the rules to be removed', () => lines('rules.log').length > 0);
    expect(lines('rules.log')).toEqual(['remove']);
    expect(lines('starts')).toHaveLength(5);
  });

  it('passes TERM on and ends with the sidecar', async () => {
    const process = await startGuard(
      `import { writeFileSync } from 'node:fs';
      process.on('SIGTERM', () => { writeFileSync('${home}/ended', 'politely'); process.exit(0); });
      writeFileSync('${home}/ready', '');
      setInterval(() => undefined, 1000);`,
    );
    await eventually('the sidecar to be ready', () => existsSync(join(home, 'ready')));
    process.kill('SIGTERM');
    const [code] = await once(process, 'exit');
    expect(code).toBe(0);
    expect(lines('ended')).toEqual(['politely']);
    expect(lines('starts')).toHaveLength(1);
  });
});

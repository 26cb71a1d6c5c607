import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HeldProcesses } from '../../../core/control-plane/runtime/process/held-processes.ts';
import { silentLogger } from '../../../core/shared/logger.ts';
import { eventually } from '../../support/eventually.ts';

const stateOf = async (pid: number) => /State:\s+(\S)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];

describe.skipIf(process.platform !== 'linux')('HeldProcesses', () => {
  let dir: string;
  let child: ChildProcess;
  let pid: number;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'held-'));
    child = spawn('sleep', ['60'], { stdio: 'ignore' });
    pid = child.pid ?? 0;
  });
  afterEach(async () => {
    child.kill('SIGKILL');
    await rm(dir, { recursive: true, force: true });
  });

  it('lets go what an earlier run has left stopped', async () => {
    const file = join(dir, 'held.json');
    await new HeldProcesses(file, silentLogger).add(pid);
    process.kill(pid, 'SIGSTOP');
    await eventually('it is stopped', async () => (await stateOf(pid)) === 'T');
    await new HeldProcesses(file, silentLogger).release();
    await eventually('it goes on', async () => (await stateOf(pid)) !== 'T');
  });

  it('leaves a process alone that only has the same id, and one that was let go', async () => {
    const file = join(dir, 'held.json');
    process.kill(pid, 'SIGSTOP');
    await eventually('it is stopped', async () => (await stateOf(pid)) === 'T');
    await writeFile(file, JSON.stringify({ formatVersion: 1, held: [{ pid, started: '1' }] }));
    await new HeldProcesses(file, silentLogger).release();
    const other = new HeldProcesses(file, silentLogger);
    await other.add(pid);
    await other.remove(pid);
    await new HeldProcesses(file, silentLogger).release();
    expect(await stateOf(pid)).toBe('T');
  });
});

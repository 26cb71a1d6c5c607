import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { startOfProcess } from '../../../core/control-plane/process-start.ts';
import { type Project, prepareProject, toProject } from '../../../core/control-plane/store/project.ts';
import { lockProject } from '../../../core/control-plane/store/project-lock.ts';
import { prepareClosers } from '../../support/closers.ts';

const closers = prepareClosers();
let project: Project;
let lock: string;
beforeEach(async () => {
  const dir = await mkdtemp(join(tmpdir(), 'lock-'));
  closers.add(() => rm(dir, { recursive: true, force: true }));
  project = toProject(dir);
  await prepareProject(project);
  lock = join(project.stateDir, 'lock');
});

const nobody = 2 ** 22 + 1;
const longAgo = new Date(0).toISOString();
const write = (owner: unknown) => writeFile(lock, JSON.stringify(owner));

test('a project is for one control plane, and free again after it', async () => {
  const unlock = await lockProject(project);
  await expect(lockProject(project)).rejects.toMatchObject({
    code: 'PROJECT_LOCKED',
    message: `Meshdesk already runs for ${project.dir} (process ${process.pid}).`,
  });
  await unlock();
  expect(await readdir(project.stateDir)).toEqual(['.gitignore']);
  await (await lockProject(project))();
});

test.each([
  ['of a process that is gone', { pid: nobody, since: new Date().toISOString() }],
  ['of a process number that went to another program', { pid: process.pid, since: longAgo, started: '1' }],
  ['of an earlier version, long ago, that nobody answers for', { pid: process.pid, since: longAgo }],
])('a lock %s is taken over', async (_, owner) => {
  await write(owner);
  await (await lockProject(project))();
});

test.each(['', '{"pid":', '[]', 'null', '{"pid":-1}'])('a lock cut short is taken over: %j', async (text) => {
  await writeFile(lock, text);
  await (await lockProject(project))();
});

test('a control plane that is busy starting keeps the project, however long it takes', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => 0, 1000)'], { stdio: 'ignore' });
  closers.add(() => child.kill('SIGKILL'));
  await once(child, 'spawn');
  await write({ pid: child.pid, since: longAgo, started: await startOfProcess(child.pid ?? 0) });
  if (process.platform === 'linux')
    await expect(lockProject(project)).rejects.toMatchObject({ code: 'PROJECT_LOCKED' });

  child.kill('SIGKILL');
  await once(child, 'exit');
  await (await lockProject(project))();
});

test('whoever answers at the control socket has the project, whatever the lock says', async () => {
  await writeFile(lock, '');
  const server = createServer().listen(project.controlSocket);
  closers.add(() => server.close());
  await once(server, 'listening');
  await expect(lockProject(project)).rejects.toMatchObject({ code: 'PROJECT_LOCKED' });
});

test('of many that find the same stale lock one gets the project', async () => {
  for (let round = 0; round < 50; round += 1) {
    await write({ pid: nobody, since: longAgo });
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => lockProject(project)));
    const won = results.filter((result) => result.status === 'fulfilled');
    expect(won).toHaveLength(1);
    for (const { value: unlock } of won) await unlock();
  }
  expect(await readdir(project.stateDir)).toEqual(['.gitignore']);
});

test('a process that was killed while it took a lock over does not keep the project', async () => {
  await write({ pid: nobody, since: longAgo });
  await writeFile(`${lock}.takeover`, '');
  await utimes(`${lock}.takeover`, 1, 1);
  await (await lockProject(project))();
});

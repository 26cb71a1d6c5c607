/** What is left of a state folder after a full disk or a crash: the control plane starts, or says what is damaged. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { type ControlPlane, startControlPlane } from '../../../core/control-plane/control-plane.ts';
import { IdFile } from '../../../core/control-plane/id-file.ts';
import { prepareClosers } from '../../support/closers.ts';
import { eventually } from '../../support/eventually.ts';

const closers = prepareClosers();
let dir: string;
let state: string;
let log: string[];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'damaged-'));
  closers.add(() => rm(dir, { recursive: true, force: true }));
  state = join(dir, '.meshdesk');
  log = [];
});

const logger = {
  info: () => undefined,
  warn: (message: string) => void log.push(message),
  error: (message: string) => void log.push(message),
};

async function start(): Promise<ControlPlane> {
  const controlPlane = await startControlPlane({
    projectDir: dir,
    distDir: join(dir, 'no-dist'),
    version: '0.0.0',
    http: null,
    docker: false,
    sample: false,
    log: logger,
  });
  closers.add(() => controlPlane.close({ detach: false }));
  return controlPlane;
}

async function startAndEnd(): Promise<void> {
  const controlPlane = await start();
  const status = await controlPlane.call('mesh.status', {});
  expect(status).toMatchObject({ ok: true });
  await controlPlane.close({ detach: false });
}

const cuts = ['nothing', 'half', 'all but the end', 'something else'] as const;
const cutOf = (text: string, cut: (typeof cuts)[number]) =>
  ({ nothing: '', half: text.slice(0, text.length / 2), 'all but the end': text.slice(0, -3), 'something else': '[]' })[
    cut
  ];

const files = {
  'attached.json': { formatVersion: 1, workloads: ['process:web'] },
  'stopped-gateways.json': { formatVersion: 1, workloads: ['shop/gateway'] },
  'ports.json': { formatVersion: 1, ports: { web: 20_001 } },
  'gateway-ports.json': { formatVersion: 1, ports: { gateway: 20_002 } },
  'disturbed.json': { formatVersion: 1, disturbed: [] },
  'held.json': { formatVersion: 1, held: [] },
  lock: { pid: 2 ** 22 + 1, since: new Date(0).toISOString() },
};

describe.each(Object.entries(files))('of %s', (name, content) => {
  test.each(cuts)('%s is left: the control plane starts', async (cut) => {
    await mkdir(state, { recursive: true });
    await writeFile(join(state, name), cutOf(JSON.stringify(content), cut));
    await startAndEnd();
    await startAndEnd();
  });
});

describe('of the certificate authority', () => {
  const caFile = () => join(state, 'ca', 'state.json');
  const expectDamaged = async (text: string) => {
    await writeFile(caFile(), text);
    await expect(start()).rejects.toMatchObject({
      code: 'IDENTITY_FAILED',
      message: expect.stringMatching(/ca\/state\.json is damaged\. Restore it from a backup, or remove the folder/),
    });
    // Nothing was made anew over it, and the project is free for the next try.
    expect(await readFile(caFile(), 'utf8')).toBe(text);
    expect(await readdir(state)).not.toContain('lock');
  };

  test.each(cuts)('%s is left: it says so, touches nothing, and starts once it is restored', async (cut) => {
    await startAndEnd();
    const whole = await readFile(caFile(), 'utf8');
    await expectDamaged(cutOf(whole, cut));
    await writeFile(caFile(), whole);
    await startAndEnd();
    expect(JSON.parse(await readFile(caFile(), 'utf8'))).toEqual(JSON.parse(whole));
  });

  test('a certificate that is none, a key that is none, or one of another root are damage, too', async () => {
    await startAndEnd();
    const { active, ...rest } = JSON.parse(await readFile(caFile(), 'utf8'));
    const key = (data: string) => ({ ...active, key: { form: 'pem', data } });
    await expectDamaged(JSON.stringify({ ...rest, active: { ...active, certificatePem: 'gone' } }));
    await expectDamaged(JSON.stringify({ ...rest, active: key('gone') }));
    await rm(caFile());
    await startAndEnd();
    const other = JSON.parse(await readFile(caFile(), 'utf8'));
    await expectDamaged(JSON.stringify({ ...rest, active: key(other.active.key.data) }));
  });
});

test('a list that cannot be read is put aside, and the log says what follows', async () => {
  await mkdir(state, { recursive: true });
  await writeFile(join(state, 'attached.json'), '{"formatVersion":1,"workl');
  await startAndEnd();
  expect(await readFile(join(state, 'attached.json.damaged'), 'utf8')).toBe('{"formatVersion":1,"workl');
  expect(log.join('\n')).toMatch(
    /attached\.json cannot be read, so nothing is attached again: .*attached\.json\.damaged/,
  );
});

test('a list that cannot be written is written as soon as it can be', async () => {
  const file = join(dir, 'folder', 'ids.json');
  const ids = new IdFile({ file, without: 'there are none', log: logger });
  ids.add('a');
  await eventually('the log', () => log.some((line) => line.includes('cannot be written')));
  await mkdir(join(dir, 'folder'));
  ids.add('b');
  await ids.close();
  expect(JSON.parse(await readFile(file, 'utf8')).workloads).toEqual(['a', 'b']);
  const [first] = log;
  expect(log).toEqual([first, `${file} is written again`]);
});

import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeExport } from '../../../core/control-plane/api/write-export.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'export-'));
});
afterEach(() => rm(dir, { recursive: true }));

const result = (target: string, paths: readonly string[]) => ({
  target,
  files: paths.map((path) => ({ path, content: `${target} ${path}\n` })),
  findings: [],
  outDir: null,
});

test('writes one target right into a folder, several into subfolders', async () => {
  const [one] = await writeExport(join(dir, 'a'), [result('istio', ['shop/web.yaml', 'REPORT.md'])]);
  expect(one?.outDir).toBe(join(dir, 'a'));
  expect(await readFile(join(dir, 'a', 'shop', 'web.yaml'), 'utf8')).toBe('istio shop/web.yaml\n');
  const both = await writeExport(join(dir, 'b'), [result('istio', ['x.yaml']), result('other', ['x.yaml'])]);
  expect(both.map(({ outDir }) => outDir)).toEqual([join(dir, 'b', 'istio'), join(dir, 'b', 'other')]);
});

test('replaces an earlier export, leaves files of others alone, and refuses a folder that is not its own', async () => {
  const out = join(dir, 'out');
  await writeExport(out, [result('istio', ['old.yaml', 'kept.yaml'])]);
  await writeFile(join(out, 'notes.txt'), 'mine');
  await writeExport(out, [result('istio', ['kept.yaml', 'new.yaml'])]);
  expect((await readdir(out)).sort()).toEqual(['.meshdesk-export.json', 'kept.yaml', 'new.yaml', 'notes.txt']);
  await writeFile(join(dir, 'foreign.txt'), 'x');
  await expect(writeExport(dir, [result('istio', ['a.yaml'])])).rejects.toMatchObject({ code: 'EXPORT_FAILED' });
});

test('never writes outside of the folder', async () => {
  await expect(writeExport(join(dir, 'out'), [result('istio', ['../escaped.yaml'])])).rejects.toMatchObject({
    code: 'EXPORT_FAILED',
  });
  expect(await readdir(dir)).not.toContain('escaped.yaml');
  await writeFile(join(dir, '.meshdesk-export.json'), JSON.stringify({ files: ['../../etc/hosts'] }));
  await expect(writeExport(dir, [result('istio', ['a.yaml'])])).rejects.toMatchObject({ code: 'EXPORT_FAILED' });
});

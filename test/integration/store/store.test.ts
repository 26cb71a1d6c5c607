import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeExport } from '../../../core/control-plane/api/write-export.ts';
import { ConfigDesk } from '../../../core/control-plane/store/config-desk.ts';
import { FileResourceStore } from '../../../core/control-plane/store/file-resource-store.ts';
import { findProjectDir, prepareProject, toProject } from '../../../core/control-plane/store/project.ts';
import { toFaultInjection } from '../../../core/model/fault-injection.ts';
import type { Finding } from '../../../core/model/finding.ts';
import { silentLogger } from '../../../core/shared/logger.ts';
import { eventually } from '../../support/eventually.ts';

let dir: string;
const closing: (() => unknown)[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'store-'));
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await rm(dir, { recursive: true, force: true });
});

const fault = (id: string, percent: number) =>
  toFaultInjection({
    id,
    from: 'web.shop',
    to: 'orders.shop',
    route: null,
    action: { kind: 'delay', delayMs: 400 },
    percent,
    durationMs: null,
    seed: 1,
  });
const strict = (mode: string) =>
  `# who may talk\napiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: default, namespace: shop}\nspec: {mtls: {mode: ${mode}}}\n`;

async function openStore() {
  const notices: string[] = [];
  const store = new FileResourceStore({
    dir,
    log: silentLogger,
    nowMs: () => 1_000,
    onNotice: ({ message }) => notices.push(message),
  });
  closing.push(() => store.close());
  await store.start();
  return { store, notices };
}

test('what is put is on disk, is found by another store, and is gone after remove', async () => {
  const { store } = await openStore();
  let changes = 0;
  store.onChange(() => {
    changes += 1;
  });
  await store.put([fault('slow', 30), fault('slower', 60)]);
  expect(store.all()).toEqual([fault('slow', 30), fault('slower', 60)]);
  expect(changes).toBe(1);
  expect((await openStore()).store.all()).toEqual(store.all());
  expect(await readdir(dir)).toEqual(['faults.yaml']);

  await store.remove('FaultInjection', 'shop', 'slow');
  expect(store.all()).toEqual([fault('slower', 60)]);
  await store.remove('FaultInjection', 'shop', 'slower');
  expect(store.all()).toEqual([]);
  expect(await readdir(dir)).toEqual([]);
});

test('a change on disk is picked up, a broken file keeps the last good one and says where it is broken', async () => {
  await writeFile(join(dir, 'security.yaml'), strict('PERMISSIVE'));
  const { store, notices } = await openStore();
  expect(store.all()).toMatchObject([{ spec: { mtls: { mode: 'PERMISSIVE' } } }]);

  await writeFile(join(dir, 'security.yaml'), strict('STRICT'));
  await eventually('the change is seen', () => JSON.stringify(store.all()).includes('STRICT'));

  await writeFile(join(dir, 'security.yaml'), strict('SOMETIMES'));
  await eventually('the notice comes', () => notices.length > 0);
  expect(notices[0]).toMatch(/^security\.yaml:5:\d+: .*The last good version stays in force\.$/);
  expect(store.all()).toMatchObject([{ spec: { mtls: { mode: 'STRICT' } } }]);
});

test('rules stay in force while their folder is away, and nobody takes that for a change', async () => {
  await writeFile(join(dir, 'security.yaml'), strict('STRICT'));
  const { store, notices } = await openStore();
  await rename(dir, `${dir}-away`);
  await eventually('the notice comes', () => notices.length > 0);
  expect(notices[0]).toMatch(/^The project's folder cannot be read \(ENOENT.*security\.yaml before stays in force\.$/);
  expect(store.all()).toMatchObject([{ spec: { mtls: { mode: 'STRICT' } } }]);
  await rename(`${dir}-away`, dir);
  await writeFile(join(dir, 'security.yaml'), strict('PERMISSIVE'));
  await eventually('the change is seen', () => JSON.stringify(store.all()).includes('PERMISSIVE'));
  expect(notices).toHaveLength(1);
  expect(store.history().done.map(({ label }) => label)).toEqual(['changed on disk']);
});

test.skipIf(process.getuid?.() !== 0)('rules of a file that may not be read any more stay in force', async () => {
  await writeFile(join(dir, 'a.yaml'), strict('STRICT'));
  await writeFile(join(dir, 'b.yaml'), strict('PERMISSIVE'));
  await chmod(dir, 0o755);
  const { store, notices } = await openStore();
  const duplicates = notices.length;
  closing.push(() => process.seteuid?.(0));
  await chmod(join(dir, 'a.yaml'), 0o600);
  process.seteuid?.(65_534);
  await eventually('the notice comes', () => notices.length > duplicates);
  expect(notices.at(-1)).toMatch(/^a\.yaml cannot be read \(EACCES.*a\.yaml before stays in force\.$/);
  expect(store.all()).toMatchObject([{ spec: { mtls: { mode: 'STRICT' } } }]);
  process.seteuid?.(0);
  await chmod(join(dir, 'a.yaml'), 0o644);
  await writeFile(join(dir, 'a.yaml'), strict('DISABLE'));
  await eventually('the change is seen', () => JSON.stringify(store.all()).includes('DISABLE'));
});

test('a file that is empty all at once is told, and undo brings its rules back', async () => {
  await writeFile(join(dir, 'security.yaml'), strict('STRICT'));
  const { store, notices } = await openStore();
  await writeFile(join(dir, 'security.yaml'), '');
  await eventually('the notice comes', () => notices.length > 0);
  expect(notices).toEqual([
    'security.yaml is empty now, so PeerAuthentication shop/default applies no more. Undo brings it back.',
  ]);
  expect(store.all()).toEqual([]);
  await store.undo();
  expect(store.all()).toMatchObject([{ spec: { mtls: { mode: 'STRICT' } } }]);
});

test('an edit keeps what may be done with a file', async () => {
  const file = join(dir, 'security.yaml');
  await writeFile(file, strict('PERMISSIVE'), { mode: 0o600 });
  const { store } = await openStore();
  await store.save('security.yaml', strict('STRICT'), strict('PERMISSIVE'));
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

test('files of other programs and hidden folders are left alone', async () => {
  await writeFile(join(dir, 'compose.yaml'), 'services: {web: {image: nginx}}\n');
  await mkdir(join(dir, '.meshdesk'));
  await writeFile(join(dir, '.meshdesk', 'x.yaml'), strict('STRICT'));
  const { store, notices } = await openStore();
  expect(store.all()).toEqual([]);
  expect(store.findings()).toEqual([]);
  expect(notices).toEqual([]);
});

test('an edit of a file that a person wrote keeps its comments', async () => {
  await writeFile(join(dir, 'mine.yml'), strict('PERMISSIVE'));
  const { store } = await openStore();
  const [policy] = store.all();
  if (policy?.kind !== 'PeerAuthentication') throw new Error('the policy was not read');
  await store.put([{ ...policy, spec: { mtls: { mode: 'STRICT' } } }]);
  const text = await readFile(join(dir, 'mine.yml'), 'utf8');
  expect(text).toContain('# who may talk');
  expect(text).toContain('STRICT');
  expect(await readdir(dir)).toEqual(['mine.yml']);
});

test('the state folder is private and ignores itself', async () => {
  const project = toProject(join(dir, 'mesh'));
  await prepareProject(project);
  expect((await stat(project.stateDir)).mode & 0o777).toBe(0o700);
  expect(await readFile(join(project.stateDir, '.gitignore'), 'utf8')).toBe('*\n');
  expect(findProjectDir(null, join(dir, 'mesh'), {})).toBe(project.dir);
  expect(findProjectDir(null, tmpdir(), { MESHDESK_HOME: '/data' })).toBe('/data/default');
});

test('the control socket fits into the limit however deep the project lies', () => {
  const deep = toProject(join('/', ...Array.from({ length: 20 }, () => 'a-long-folder')));
  expect(Buffer.byteLength(deep.controlSocket)).toBeLessThanOrEqual(103);
});

test('an export that was written into the project is not configuration of it', async () => {
  await writeFile(join(dir, 'peers.yaml'), strict('STRICT'));
  const exported = strict('PERMISSIVE').replace('default', 'exported');
  const [result] = await writeExport(join(dir, 'export'), [
    { target: 'istio', files: [{ path: 'shop/peers.yaml', content: exported }], findings: [], outDir: null },
  ]);
  expect(result?.outDir).toBe(join(dir, 'export'));
  const { store, notices } = await openStore();
  expect(store.all().map(({ metadata }) => metadata.name)).toEqual(['default']);
  expect(notices).toEqual([]);
});

test('every change can be taken back and brought back, also one that was made on disk', async () => {
  const { store } = await openStore();
  await store.put([fault('slow', 30)]);
  await store.put([fault('slow', 60)]);
  const percent = () =>
    [30, 60].filter((value) => JSON.stringify(store.all()) === JSON.stringify([fault('slow', value)]));
  expect(percent()).toEqual([60]);
  expect((await store.undo()).label).toBe('put FaultInjection shop/slow');
  expect(percent()).toEqual([30]);
  await store.undo();
  expect(store.all()).toEqual([]);
  expect(await readdir(dir)).toEqual([]);
  await expect(store.undo()).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await store.redo();
  await store.redo();
  expect(percent()).toEqual([60]);

  await writeFile(join(dir, 'security.yaml'), strict('STRICT'));
  await eventually('the change is seen', () => store.all().length === 2);
  expect(store.history().done[0]).toMatchObject({ label: 'changed on disk', atMs: 1_000 });
  await store.undo();
  expect(await readdir(dir)).toEqual(['faults.yaml']);
});

test('a change is not taken back when its file was changed since, and a new change ends what could be redone', async () => {
  const { store } = await openStore();
  await store.put([fault('slow', 30)]);
  await store.put([fault('slow', 60)]);
  await store.undo();
  await store.put([fault('other', 10)]);
  await expect(store.redo()).rejects.toMatchObject({ code: 'NOT_FOUND' });
  const text = await readFile(join(dir, 'faults.yaml'), 'utf8');
  await writeFile(join(dir, 'faults.yaml'), `# mine\n${text}`);
  await eventually('the change is seen', () => store.history().done[0]?.label === 'changed on disk');
  await store.undo();
  expect(await readFile(join(dir, 'faults.yaml'), 'utf8')).toBe(text);
});

test('resources are applied all or not at all, and read back as YAML', async () => {
  const { store } = await openStore();
  const desk = new ConfigDesk(store, () => []);
  const good = { file: 'a.yaml', text: strict('STRICT') };
  await expect(desk.apply([good, { file: 'b.yaml', text: strict('SOMETIMES') }])).rejects.toMatchObject({
    code: 'INVALID_RESOURCE',
    issues: [{ file: 'b.yaml', line: 5 }],
  });
  expect(store.all()).toEqual([]);
  expect((await desk.apply([good])).applied).toEqual(['PeerAuthentication shop/default']);
  expect(desk.get('peerauthentication', null)).toMatchObject([{ namespace: 'shop', name: 'default' }]);
  expect(desk.get(null, 'default')[0]?.yaml).toContain('STRICT');
  await expect(desk.delete('PeerAuthentication', 'other', 'default')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await desk.delete('PeerAuthentication', null, 'default');
  expect(store.all()).toEqual([]);
});

test('a file is saved as it is, with its findings; a broken text keeps what was in force', async () => {
  const { store, notices } = await openStore();
  const desk = new ConfigDesk(store, () => []);
  const path = 'policies/peers.yaml';
  const first = await desk.save({ path, text: strict('STRICT'), expected: null });
  expect(first.file).toMatchObject({
    path,
    isBehind: false,
    appliedText: null,
    findings: [],
    resources: [{ kind: 'PeerAuthentication', namespace: 'shop', name: 'default', line: 4 }],
  });
  const broken = await desk.save({ path, text: strict('SOMETIMES'), expected: strict('STRICT') });
  expect(broken.file).toMatchObject({ isBehind: true, findings: [{ number: 'MD0103', line: 5, file: path }] });
  expect(await readFile(join(dir, path), 'utf8')).toBe(strict('SOMETIMES'));
  expect(store.all()).toMatchObject([{ spec: { mtls: { mode: 'STRICT' } } }]);
  const empty = await desk.save({ path, text: 'apiVers', expected: strict('SOMETIMES') });
  expect(empty.file).toMatchObject({ isBehind: true, appliedText: strict('STRICT'), resources: [] });
  expect(desk.files().files.map((file) => file.path)).toEqual([path]);
  await desk.save({ path, text: 'apiVersi', expected: 'apiVers' });
  expect(store.all()).toMatchObject([{ spec: { mtls: { mode: 'STRICT' } } }]);
  expect(notices).toEqual([]);
  await store.undo();
  await store.undo();
  await store.undo();
  expect(desk.files().files).toMatchObject([{ text: strict('STRICT'), isBehind: false, findings: [] }]);
  expect((await desk.save({ path, text: null, expected: strict('STRICT') })).file).toBeNull();
  expect(store.all()).toEqual([]);
  expect(store.history().done.map(({ label }) => label)).toEqual([`remove ${path}`, `create ${path}`]);
});

test('a save does not write over what somebody else wrote', async () => {
  const { store } = await openStore();
  await store.save('a.yaml', strict('STRICT'), null);
  await writeFile(join(dir, 'a.yaml'), strict('DISABLE'));
  await expect(store.save('a.yaml', strict('PERMISSIVE'), strict('STRICT'))).rejects.toMatchObject({
    code: 'CONFLICT',
    message: 'a.yaml was changed since.',
  });
  await expect(store.save('a.yaml', strict('PERMISSIVE'), null)).rejects.toMatchObject({ code: 'CONFLICT' });
  expect(await readFile(join(dir, 'a.yaml'), 'utf8')).toBe(strict('DISABLE'));
  await rm(join(dir, 'a.yaml'));
  await expect(store.save('a.yaml', '', strict('DISABLE'))).rejects.toMatchObject({ message: 'a.yaml is gone.' });
});

test.each([
  ...['../x.yaml', '/etc/x.yaml', 'a/../../x.yaml', 'a\\x.yaml', 'x.txt', 'x', '', '.meshdesk/x.yaml', 'a/.x.yaml'],
  ...['a//x.yaml', './x.yaml', 'node_modules/x.yaml', 'a/b/c/d/x.yaml', 'x\u0000.yaml', 'c:x.yaml'],
  ...['link/x.yaml', 'linked.yaml', 'file/x.yaml', 'export/x.yaml'],
])('refuses to save %j', async (path) => {
  const outside = await mkdtemp(join(tmpdir(), 'outside-'));
  closing.push(() => rm(outside, { recursive: true }));
  await writeFile(join(outside, 'x.yaml'), 'secret');
  await symlink(outside, join(dir, 'link'));
  await symlink(join(outside, 'x.yaml'), join(dir, 'linked.yaml'));
  await writeFile(join(dir, 'file'), '');
  await mkdir(join(dir, 'export'));
  await writeFile(join(dir, 'export', '.meshdesk-export.json'), '{}');
  const { store } = await openStore();
  await expect(store.save(path, 'a: 1\n', null)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  expect(await readFile(join(outside, 'x.yaml'), 'utf8')).toBe('secret');
  expect(store.history().done).toEqual([]);
});

test('what the mesh as a whole finds is placed where its resource stands', async () => {
  await writeFile(
    join(dir, 'routes.yaml'),
    'apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: pay, namespace: shop}\nspec:\n  hosts: [payments]\n  http:\n  - route:\n    - destination: {host: payments, subset: v9}\n',
  );
  const { store } = await openStore();
  const told: number[] = [];
  const finding: Finding = {
    ...({ code: 'UNKNOWN_SUBSET', severity: 'warning', hint: 'Define it.' } as const),
    ...{ file: null, line: null, column: null },
    message: 'VirtualService shop/pay: "payments" has no subset "v9"',
  };
  let found: readonly Finding[] = [finding];
  const desk = new ConfigDesk(store, () => found);
  desk.meshChanged(({ change, warnings }) => told.push(change, warnings));
  expect(desk.files()).toMatchObject({
    files: [{ findings: [{ number: 'MD0202', file: 'routes.yaml', line: 8, column: 45 }] }],
    findings: [],
  });
  desk.meshChanged(() => told.push(-1));
  found = [];
  desk.meshChanged(({ change, warnings }) => told.push(change, warnings));
  expect(told).toEqual([1, 1, 2, 0]);
});

test('a resource in two files is used once, and the second file says so', async () => {
  await writeFile(join(dir, 'a.yaml'), strict('STRICT'));
  await writeFile(join(dir, 'b.yaml'), strict('DISABLE'));
  const { store, notices } = await openStore();
  expect(store.all()).toMatchObject([{ spec: { mtls: { mode: 'STRICT' } } }]);
  expect(store.findings()).toMatchObject([{ code: 'DUPLICATE', severity: 'warning', file: 'b.yaml', line: 4 }]);
  expect(notices).toHaveLength(1);
});

test.each([
  ['the form of older tutorials', 'apiVersion: split.smi-spec.io/v1alpha2\nkind: TrafficSplit'],
  ['a list of a cluster', 'kind: List\nitems:\n- apiVersion: networking.istio.io/v1\n  kind: VirtualService'],
  ['JSON on one line', '{"apiVersion": "networking.istio.io/v1", "kind": "VirtualService"}'],
])('a file is taken for one of a mesh: %s', async (_, text) => {
  await writeFile(join(dir, 'x.yaml'), text);
  const { store } = await openStore();
  expect(store.files()).toMatchObject([{ path: 'x.yaml', text }]);
});

test('files of Namespaces and of the experimental Gateway API are of the mesh, manifests with a Namespace at their head are not', async () => {
  const namespace = 'apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {team: blue}}\n';
  const deployment = '---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n';
  const policy =
    'apiVersion: gateway.networking.x-k8s.io/v1alpha1\nkind: XBackendTrafficPolicy\nmetadata: {name: p}\nspec: {targetRefs: [{group: "", kind: Service, name: web}]}\n';
  await writeFile(join(dir, 'namespaces.yaml'), namespace);
  await writeFile(join(dir, 'policy.yaml'), policy);
  await writeFile(join(dir, 'manifests.yaml'), namespace.replace('shop', 'other') + deployment);
  const { store } = await openStore();
  expect(store.all().map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([
    'Namespace shop',
    'XBackendTrafficPolicy p',
  ]);
});

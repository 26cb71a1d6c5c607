/** The command line as a user runs it: `serve` in one process, every other command in processes of their own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { FindingView, History, HistoryEntry, ResourceView } from '../../../core/contract/config-shapes.ts';
import { contract } from '../../../core/contract/contract.ts';
import { ImportResult } from '../../../core/contract/import-shapes.ts';
import {
  CertificateCheck,
  CertificateView,
  DoctorCheck,
  FaultView,
  MeshStatus,
  SplitView,
  Topology,
  WorkloadView,
} from '../../../core/contract/shapes.ts';
import { eventually } from '../../support/eventually.ts';
import { builtProgram } from '../../support/programs.ts';

interface Result {
  code: number | null;
  stdout: string;
  stderr: string;
}

let home: string;
let project: string;
let server: ChildProcess;
let ready: { url: string; token: string; pid: number; project: string };

const start = (args: readonly string[]) =>
  spawn(process.execPath, [builtProgram('cli'), ...args], {
    cwd: home,
    env: { ...process.env, MESHDESK_HOME: home, MESHDESK_DOCKER: 'off', NO_COLOR: '1' },
  });

async function run(...args: string[]): Promise<Result> {
  const child = start(args);
  const result: Result = { code: null, stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    result.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    result.stderr += text;
  });
  [result.code] = (await once(child, 'close')) as [number];
  return result;
}

async function json<T>(schema: z.ZodType<T>, ...args: string[]): Promise<T> {
  const result = await run(...args, '--project', project, '--json');
  expect(result.stderr).toBe('');
  expect(result.code).toBe(0);
  expect(result.stdout.trimEnd().split('\n')).toHaveLength(1);
  return schema.parse(JSON.parse(result.stdout));
}

async function startServer(): Promise<void> {
  server = start(['serve', '--headless', '--sample', '--port', '0', '--project', project, '--json']);
  const lines = createInterface({ input: server.stdout ?? process.stdin });
  const [line] = (await once(lines, 'line')) as [string];
  ready = z
    .strictObject({ url: z.string(), token: z.string(), pid: z.number(), project: z.string() })
    .parse(JSON.parse(line));
}

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'cli-'));
  project = join(home, 'shop');
  await startServer();
});
afterAll(async () => {
  if (server.exitCode === null) {
    server.kill('SIGTERM');
    await once(server, 'exit');
  }
  await rm(home, { recursive: true });
});

describe('serve', () => {
  test('prints one line when it is ready: address, token, process, project', async () => {
    expect(ready).toMatchObject({ pid: server.pid, project });
    expect(ready.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]{43}$/);
    const origin = new URL(ready.url).origin;
    const call = { method: 'POST', body: JSON.stringify({ method: 'mesh.status', input: {} }) };
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${ready.token}` };
    const response = await fetch(`${origin}/api/call`, { ...call, headers });
    expect(await response.json()).toMatchObject({ ok: true, output: { ready: true } });
    expect((await stat(join(project, '.meshdesk', 'control.sock'))).mode & 0o777).toBe(0o600);
  });

  test('refuses a project that another one serves', async () => {
    const result = await run('serve', '--headless', '--project', project, '--json');
    expect(result.code).toBe(1);
    expect(JSON.parse(result.stdout)).toMatchObject({ error: { code: 'PROJECT_LOCKED' } });
    expect(result.stderr).toContain('PROJECT_LOCKED');
  });
});

test('status and workloads: the sample shop is attached by itself', async () => {
  const status = await eventually('eight sidecars have acknowledged', async () => {
    const now = await json(MeshStatus, 'status');
    return now.sidecars.acked === 8 && now.sample === 'running' ? now : null;
  });
  expect(status).toMatchObject({ ready: true, engine: { state: 'disabled' }, mtlsMode: 'PERMISSIVE' });
  const workloads = await json(z.array(WorkloadView), 'workloads');
  expect(workloads.map(({ name }) => name)).toContain('payments-v2');
  expect(
    workloads.every(
      ({ mesh, identity }) => mesh === 'attached' && identity?.startsWith('spiffe://cluster.local/ns/shop/sa/'),
    ),
  ).toBe(true);
});

test('workloads --listeners says where host processes reach the others', async () => {
  const { stdout, code } = await run('workloads', '--listeners', '--project', project);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^web +calls orders\.shop:8080 at +http:\/\/127\.0\.0\.1:\d+$/m);
  expect(stdout).toMatch(/^orders +calls ledger\.shop:\d+ at +tcp:\/\/127\.0\.0\.1:\d+$/m);
  expect(stdout).toMatch(/^orders +HTTP_PROXY, and \/proxy\/\{service\}\/\{path\} +http:\/\/127\.0\.0\.1:\d+$/m);
  expect((await run('workloads', '--project', project)).stdout).not.toContain('HTTP_PROXY');
});

test('topology has rates, percentiles and closed locks', async () => {
  const edges = await eventually('there is traffic on every edge', async () => {
    const topology = await json(Topology, 'topology', '--window', '10s');
    return topology.edges.length >= 7 && topology.edges.every(({ mtls }) => mtls === 'closed') ? topology.edges : null;
  });
  expect(edges.find(({ id }) => id === 'orders.shop->payments.shop')).toMatchObject({
    protocol: 'http',
    requestsPerSecond: expect.any(Number),
    p99Ms: expect.any(Number),
  });
  expect(edges.find(({ id }) => id === 'orders.shop->ledger.shop')).toMatchObject({
    protocol: 'tcp',
    tcp: expect.any(Object),
  });
});

test('fault set, list and clear', async () => {
  const [fault] = await json(
    z.array(FaultView),
    'fault',
    'set',
    '--from',
    'orders',
    '--to',
    'payments',
    '--delay',
    '400ms',
    '--percent',
    '30',
    '--duration',
    '60s',
  );
  expect(fault).toMatchObject({
    from: 'orders.shop',
    to: 'payments.shop',
    percent: 30,
    durationMs: 60_000,
    action: { kind: 'delay', delayMs: 400 },
  });
  await eventually('it hits', async () => ((await json(z.array(FaultView), 'fault', 'list'))[0]?.hits ?? 0) > 0);
  expect(await json(z.array(FaultView), 'fault', 'clear', fault?.id ?? '')).toEqual([]);
  await json(z.array(FaultView), 'fault', 'set', '--to', 'web', '--abort', '503', '--percent', '10');
  expect(await json(z.array(FaultView), 'fault', 'clear', '--all')).toEqual([]);
});

test('fault set of another kind, with a trigger; off and on', async () => {
  const faults = z.array(FaultView);
  const set = ['--id', 'harm', '--from', 'orders', '--to', 'payments', '--response-header', 'x-harm=1', '--first', '3'];
  const [fault] = await json(faults, 'fault', 'set', ...set);
  expect(fault).toMatchObject({
    ...{ id: 'harm', kind: 'headers', strength: 'response +x-harm', action: null, percent: 100, enabled: true },
    spec: { trigger: { first: 3 }, fault: { headers: { response: { set: { 'x-harm': '1' } } } } },
  });
  const one = async () => (await json(faults, 'fault', 'list'))[0];
  await eventually('the first three are hit, and no more', async () => {
    const { seen = 0, hits = 0 } = (await one()) ?? {};
    return seen > 5 && hits === 3;
  });
  expect(await json(faults, 'fault', 'off', 'harm')).toMatchObject([{ enabled: false }]);
  expect(await json(faults, 'fault', 'on', 'harm')).toMatchObject([{ enabled: true }]);
  await eventually('they are hit anew', async () => ((await one())?.hits ?? 0) > 0);
  expect(await json(faults, 'fault', 'clear', '--all')).toEqual([]);
});

test('split set, show and clear', async () => {
  const split = await json(SplitView, 'split', 'set', 'payments', 'v1=90', 'v2=10', '--header', 'x-beta=1:v2');
  expect(split).toMatchObject({
    service: 'payments',
    configured: true,
    pins: [{ name: 'x-beta', value: '1', subset: 'v2' }],
  });
  await eventually('v2 is observed', async () => {
    const { observed } = await json(SplitView, 'split', 'show', 'payments', '--window', '10s');
    return (observed.find(({ version }) => version === 'v2')?.percent ?? 0) > 0;
  });
  expect((await json(SplitView, 'split', 'clear', 'payments')).configured).toBe(false);
});

test('cert show, rotate and verify', async () => {
  const before = await json(CertificateView, 'cert', 'show', 'payments-v1');
  expect(before).toMatchObject({ spiffeId: 'spiffe://cluster.local/ns/shop/sa/payments', chain: expect.any(Array) });
  const after = await json(CertificateView, 'cert', 'rotate', 'payments-v1');
  expect(after.serial).not.toBe(before.serial);
  expect((await json(CertificateCheck, 'cert', 'verify', 'payments-v1')).ok).toBe(true);
});

test('export writes files into a folder, relative to where it is run', async () => {
  const exported = await json(
    z.object({
      outDir: z.string(),
      files: z.array(z.object({ target: z.string(), path: z.string() })),
      findings: z.array(z.object({ target: z.string(), kind: z.string() })),
    }),
    'export',
    '--target',
    'istio',
    '--out',
    'production',
  );
  expect(exported.outDir).toBe(join(home, 'production'));
  expect(await readdir(exported.outDir)).toContain('REPORT.md');
  expect((await run('export', '--target', 'nothing', '--out', 'x', '--project', project)).code).toBe(1);
});

test('requests and explain: what happened, and why a request goes where it goes', async () => {
  const to = ['--to', 'payments.shop', '--limit', '3'];
  const recent = await eventually('requests are told', async () => {
    const told = await json(contract['request.recent'].output, 'requests', ...to);
    return told.length > 0 ? told : null;
  });
  const happened = await json(contract['request.explain'].output, 'explain', '--id', recent[0]?.id ?? '');
  expect(happened).toMatchObject({ service: 'payments.shop', recorded: { id: recent[0]?.id } });
  const asked = ['explain', '--from', 'orders', 'POST', 'http://payments:8080/charge', '-H', 'x-a: 1', '-H', 'x-b:2'];
  expect(await json(contract['request.explain'].output, ...asked)).toMatchObject({
    caller: { name: 'orders' },
    request: { method: 'POST', port: 8080, headers: [{ name: 'x-a' }, { name: 'x-b', value: '2' }] },
    outcome: { kind: 'forward' },
    callee: { mtls: 'PERMISSIVE' },
  });
  const { stdout } = await run(...asked, '--project', project);
  expect(stdout).toMatch(/^service +payments\.shop$/m);
  expect(stdout).toMatch(/^endpoints +.*payments-v\d .*mTLS with spiffe:/m);
  expect(await run('explain', '--id', 'r0', '--project', project)).toMatchObject({ code: 1, stdout: '' });
});

test('detach and attach', async () => {
  const detached = await json(contract['workload.detach'].output, 'detach', 'shoppers', '--deadline', '2s');
  expect(detached).toMatchObject([{ name: 'shoppers', mesh: 'detached', durationMs: expect.any(Number) }]);
  const attached = await json(contract['workload.attach'].output, 'attach', 'shoppers');
  expect(attached).toMatchObject([{ name: 'shoppers', mesh: 'attached' }]);
});

test('renew gives a workload another sidecar, with another certificate', async () => {
  const serial = async () => (await json(contract['certificate.show'].output, 'cert', 'show', 'shoppers')).serial;
  const before = await serial();
  const renewed = await json(contract['workload.renew'].output, 'renew', 'shoppers', '--deadline', '1s');
  expect(renewed).toMatchObject([{ name: 'shoppers', mesh: 'attached', reason: null }]);
  expect(await serial()).not.toBe(before);
});

test('names that do not exist are refused with exit code 1, a hint, and the error as JSON', async () => {
  const result = await run('attach', 'paymets-v1', '--project', project, '--json');
  expect(result.code).toBe(1);
  expect(JSON.parse(result.stdout)).toMatchObject({
    error: { code: 'NOT_FOUND', hint: expect.stringContaining('meshdesk workloads') },
  });
  expect(result.stderr).toContain('payments-v1');
});

test('apply, get, history, undo and delete: files in, resources in force, and back', async () => {
  const file = join(home, 'canary.yaml');
  const route = (weight: number) => `# the canary of a production service
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: payments-canary, namespace: shop }
spec:
  hosts: [payments]
  http:
    - route:
        - { destination: { host: payments, subset: v1 }, weight: ${100 - weight} }
        - { destination: { host: payments, subset: v2 }, weight: ${weight} }
`;
  await writeFile(file, route(10).replace('route:', 'rout:'));
  const wrong = await run('validate', file, '--json');
  expect(wrong.code).toBe(1);
  expect(JSON.parse(wrong.stdout)).toMatchObject([{ severity: 'error', line: 8, number: 'MD0104' }]);
  expect((await run('apply', file, '--project', project)).code).toBe(1);

  await writeFile(file, route(10));
  expect(await json(z.array(FindingView), 'validate', file)).toEqual([]);
  await json(z.array(FindingView), 'apply', file);
  const [resource] = await json(z.array(ResourceView), 'get', 'virtualservice', 'payments-canary');
  expect(resource?.yaml).toContain('weight: 10');
  await writeFile(file, route(30));
  await json(z.array(FindingView), 'apply', file);
  expect((await run('get', 'VirtualService', 'payments-canary', '--project', project)).stdout).toContain('weight: 30');

  await json(HistoryEntry, 'undo');
  const [before] = await json(z.array(ResourceView), 'get', 'VirtualService', 'payments-canary');
  expect(before?.yaml).toContain('weight: 10');
  const history = await json(History, 'history');
  expect(history.undone[0]?.label).toBe('put VirtualService shop/payments-canary');
  await json(ResourceView, 'delete', 'VirtualService', 'payments-canary');
  expect(await json(z.array(ResourceView), 'get', 'VirtualService', 'payments-canary')).toEqual([]);
});

test('import takes production by its names: a preview first, then into the project', async () => {
  const file = join(home, 'production.yaml');
  await writeFile(
    file,
    `apiVersion: v1
kind: List
items:
  - apiVersion: networking.istio.io/v1
    kind: VirtualService
    metadata: { name: payments-prod, namespace: prod, uid: 7d1c, resourceVersion: "9" }
    spec:
      hosts: [payments]
      http: [{ timeout: 3s, route: [{ destination: { host: payments.prod.svc.cluster.local } }] }]
  - { apiVersion: apps/v1, kind: Deployment, metadata: { name: payments, namespace: prod } }
`,
  );
  const preview = await json(ImportResult, 'import', file);
  expect(preview).toMatchObject({
    resources: [{ namespace: 'shop', path: 'traffic/shop.payments-prod.yaml', replaces: false }],
    skipped: [{ what: 'Deployment prod/payments', line: 10 }],
    mapping: [
      { from: 'payments.prod.svc.cluster.local', to: 'payments.shop' },
      { from: 'prod', to: 'shop' },
    ],
    written: [],
  });
  expect(await json(z.array(ResourceView), 'get', 'VirtualService', 'payments-prod')).toEqual([]);
  const said = await run('import', file, '--map', 'payments=catalog.shop', '--write', '--project', project);
  expect(said.stdout).toContain('imported VirtualService shop/payments-prod into traffic/shop.payments-prod.yaml');
  const [written] = await json(z.array(ResourceView), 'get', 'VirtualService', 'payments-prod');
  expect(written?.yaml).toContain('host: catalog.shop.svc.cluster.local');
  expect(written?.yaml).not.toMatch(/uid|resourceVersion|prod\./);
  expect((await run('import', file, '--map', 'payments', '--project', project)).code).toBe(2);
  await json(HistoryEntry, 'undo');
});

test('people get tables without colours when piped', async () => {
  const { stdout, code } = await run('workloads', '--project', project);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^NAME +SERVICE +VERSION/);
  expect(stdout).toContain('payments.shop');
  expect(stdout).not.toContain('\u001b');
});

test('doctor and address', async () => {
  const checks = await json(z.array(DoctorCheck), 'doctor');
  expect(checks.length).toBeGreaterThan(1);
  const { url } = await json(z.strictObject({ url: z.string() }), 'address');
  expect(url).toContain(new URL(ready.url).origin);
});

const listPids = async () =>
  (await json(z.array(WorkloadView), 'workloads')).map(({ stateText }) => Number(stateText.replace('pid ', '')));
const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test('a killed control plane leaves no process behind, and the next one takes the project over and attaches again', async () => {
  const pids = await listPids();
  server.kill('SIGKILL');
  await once(server, 'exit');
  await eventually('what it had started has ended', () => !pids.some(isAlive));
  await startServer();
  await eventually('everything is attached again', async () => {
    const { sidecars, sample } = await json(MeshStatus, 'status');
    return sample === 'running' && sidecars.acked === 8;
  });
});

test('a signal ends the control plane and everything it started; then there is none, exit code 3', async () => {
  const pids = await listPids();
  server.kill('SIGTERM');
  const [code] = (await once(server, 'exit')) as [number];
  expect(code).toBe(0);
  expect(pids.filter(isAlive)).toEqual([]);
  const after = await run('status', '--project', project, '--json');
  expect(after.code).toBe(3);
  expect(JSON.parse(after.stdout)).toMatchObject({ error: { code: 'NO_CONTROL_PLANE' } });
});

/** Configuration of a cluster, of Helm and of compose files on its way into a project on disk. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ImportInput } from '../../../core/contract/import-shapes.ts';
import { FileResourceStore } from '../../../core/control-plane/store/file-resource-store.ts';
import { importTexts } from '../../../core/control-plane/store/import/import-texts.ts';
import { keptNames } from '../../../core/control-plane/store/import/kept-names.ts';
import { toProductionNames } from '../../../core/control-plane/store/import/production-export.ts';
import { silentLogger } from '../../../core/shared/logger.ts';

let dir: string;
let store: FileResourceStore;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'import-'));
  store = new FileResourceStore({ dir, log: silentLogger, nowMs: () => 1_000, onNotice: () => undefined });
  await store.start();
});
afterEach(async () => {
  store.close();
  await rm(dir, { recursive: true, force: true });
});

const here = (...keys: string[]) =>
  new Map(keys.map((key) => [key, { name: key.split('.')[0] ?? '', namespace: key.split('.')[1] ?? '' }]));
const run = (text: string, options: object = {}, services = here('payments.shop', 'orders.shop'), file = 'in.yaml') =>
  importTexts(ImportInput.parse({ texts: [{ file, text }], ...options }), { store, services });

const dump = JSON.stringify({
  apiVersion: 'v1',
  kind: 'List',
  items: [
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'VirtualService',
      metadata: {
        name: 'payments',
        namespace: 'prod',
        uid: '7d1c',
        generation: 3,
        resourceVersion: '99',
        creationTimestamp: '2026-01-01T00:00:00Z',
        managedFields: [{ manager: 'kubectl' }],
        annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}' },
      },
      spec: {
        hosts: ['payments', 'pay.example.com'],
        http: [{ route: [{ destination: { host: 'payments.prod.svc.cluster.local', subset: 'v1' } }] }],
      },
      status: { conditions: [] },
    },
    { apiVersion: 'v1', kind: 'Service', metadata: { name: 'payments', namespace: 'prod' } },
  ],
});

test('a dump of a cluster loses what only the cluster needs, and its names become those of this machine', async () => {
  const { resources, skipped, mapping, findings, written } = await run(dump);
  expect(findings).toEqual([]);
  expect(written).toEqual([]);
  expect(await readdir(dir)).toEqual([]);
  expect(skipped).toMatchObject([{ what: 'Service prod/payments', reason: 'is not configuration of a mesh' }]);
  expect(mapping).toMatchObject([
    { kind: 'host', from: 'pay.example.com', to: null, isKnown: false },
    { kind: 'host', from: 'payments.prod.svc.cluster.local', to: 'payments.shop', isKnown: true },
    { kind: 'namespace', from: 'prod', to: 'shop', isKnown: true },
  ]);
  expect(resources).toHaveLength(1);
  expect(resources[0]?.yaml).toBe(
    `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: payments
  namespace: shop
  creationTimestamp: 2026-01-01T00:00:00Z
spec:
  hosts:
    - payments
    - pay.example.com
  http:
    - route:
        - destination:
            host: payments.shop.svc.cluster.local
            subset: v1
`,
  );
});

const rendered = `---
# Source: shop/templates/routes.yaml
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: payments
  namespace: prod # of the chart
spec:
  hosts: [payments-service]
  http:
  # the old one first
  - route:
    - destination:
        host: payments-service
---
# Source: shop/templates/empty.yaml
---
# Source: shop/templates/deployment.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: payments, namespace: prod}
`;

test('a rendered chart keeps its comments, is written where it belongs, and is one step of the history', async () => {
  const { written, mapping } = await run(rendered, { write: true });
  expect(mapping).toContainEqual(
    expect.objectContaining({ from: 'payments-service.prod.svc.cluster.local', to: 'payments.shop' }),
  );
  expect(written).toEqual(['resources.yaml', 'traffic/shop.payments.yaml']);
  const text = await readFile(join(dir, 'traffic', 'shop.payments.yaml'), 'utf8');
  expect(text).toContain('# Source: shop/templates/routes.yaml');
  expect(text).toContain('namespace: shop # of the chart');
  expect(text).toContain('# the old one first');
  expect(text).toContain('hosts: [ payments ]');
  expect(text).toContain('host: payments\n');
  expect(store.all()).toMatchObject([
    { kind: 'MeshSettings' },
    { kind: 'VirtualService', metadata: { namespace: 'shop' } },
  ]);
  expect(store.history().done.map(({ label }) => label)).toEqual(['import VirtualService shop/payments']);
  await store.undo();
  expect(store.all()).toEqual([]);
});

test('a mapping that is sent back decides; what is left alone keeps meaning the same', async () => {
  const chosen = [
    { kind: 'host', from: 'payments-service.prod', to: 'orders.shop' },
    { kind: 'namespace', from: 'prod', to: 'staging' },
  ];
  const { resources, mapping } = await run(rendered, { mapping: chosen });
  expect(mapping).toContainEqual(expect.objectContaining({ kind: 'namespace', to: 'staging', isKnown: false }));
  expect(resources[0]?.yaml).toContain('hosts: [ orders.shop.svc.cluster.local ]');
  const kept = await run(rendered, {
    mapping: [
      { kind: 'host', from: 'payments-service', to: null },
      { kind: 'namespace', from: 'prod', to: null },
    ],
  });
  expect(kept.resources[0]).toMatchObject({ namespace: 'prod' });
  expect(kept.resources[0]?.yaml).toContain('hosts: [ payments-service ]');
});

test('an error anywhere leaves the project as it is, and a preview says where it is', async () => {
  const broken = `${rendered}---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: x}\nspec:\n  hosst: payments\n`;
  const { findings, resources } = await run(broken);
  expect(findings).toContainEqual(
    expect.objectContaining({ number: 'MD0104', file: 'in.yaml', line: 27, severity: 'error' }),
  );
  expect(resources).toHaveLength(1);
  await expect(run(broken, { write: true })).rejects.toMatchObject({ code: 'INVALID_RESOURCE' });
  expect(await readdir(dir)).toEqual([]);
});

test('two resources that the mapping makes one are refused', async () => {
  const peers = (namespace: string) =>
    `apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata:\n  name: default\n  namespace: ${namespace}\nspec: {}\n`;
  const { findings } = await run(`${peers('prod')}---\n${peers('staging')}`);
  expect(findings).toMatchObject([{ code: 'DUPLICATE', severity: 'error', line: 11 }]);
});

test('every form of a name is mapped: references, gateways, principals, wildcards, egress hosts', async () => {
  const text = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: only, namespace: prod}
spec:
  rules:
  - from:
    - source:
        principals: ["cluster.local/ns/prod/sa/orders"]
        namespaces: [prod, other]
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: default, namespace: prod}
spec:
  egress:
  - hosts: ["./*", "istio-system/*", "prod/payments.prod.svc.cluster.local"]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: pay, namespace: prod}
spec:
  parentRefs: [{group: "", kind: Service, name: payments}]
  rules:
  - backendRefs: [{name: payments, namespace: prod, port: 80}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: all, namespace: prod}
spec: {host: "*.prod.svc.cluster.local"}
`;
  const { resources, findings } = await run(text, {}, here('payments.shop'));
  expect(findings.filter(({ severity }) => severity === 'error')).toEqual([]);
  const yaml = resources.map((one) => one.yaml).join('---\n');
  expect(yaml).not.toMatch(/prod/);
  expect(yaml).toContain('cluster.local/ns/shop/sa/orders');
  expect(yaml).toContain('"shop/payments.shop.svc.cluster.local"');
  expect(yaml).toContain('istio-system/*');
  expect(yaml).toContain('*.shop.svc.cluster.local');
});

test('names that were mapped are kept in the project, decide over later imports, and are changed by later choices', async () => {
  const services = here('pay.shop', 'orders.shop');
  const mapping = [{ kind: 'host', from: 'payments.prod.svc.cluster.local', to: 'pay.shop' }];
  await run(dump, { write: true, mapping }, services);
  expect(keptNames(store.all())).toEqual([
    { kind: 'host', from: 'payments.prod.svc.cluster.local', to: 'pay.shop' },
    { kind: 'namespace', from: 'prod', to: 'shop' },
  ]);
  const again = await run(dump, {}, services);
  expect(again.mapping.find(({ from }) => from.startsWith('payments.'))).toMatchObject({
    to: 'pay.shop',
    isKnown: true,
  });
  const back = mapping.map((one) => ({ ...one, to: null }));
  await run(dump, { write: true, mapping: back }, services);
  expect(keptNames(store.all())).toEqual([{ kind: 'namespace', from: 'prod', to: 'shop' }]);
  await store.undo();
  expect(keptNames(store.all())).toHaveLength(2);
});

test('an export has the names of production again, and says of which there was none', async () => {
  const kept = [
    { kind: 'host' as const, from: 'payments.prod.svc.cluster.local', to: 'pay.shop' },
    { kind: 'host' as const, from: 'payments-old.prod.svc.cluster.local', to: 'pay.shop' },
    { kind: 'host' as const, from: 'api.example.com', to: 'stub.shop' },
    { kind: 'namespace' as const, from: 'prod', to: 'shop' },
  ];
  const content = `# what the desk says
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: pay, namespace: shop }
spec: { hosts: [pay], http: [{ route: [{ destination: { host: pay.shop.svc.cluster.local, subset: v1 } }] }] }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: a, namespace: shop }
spec: { rules: [{ from: [{ source: { principals: [cluster.local/ns/shop/sa/web] } }] }] }
`;
  const files = [
    { path: 'shop.yaml', content },
    { path: 'REPORT.md', content: 'pay.shop' },
  ];
  const [result] = toProductionNames([{ target: 'istio', files, findings: [], outDir: null }], kept);
  const yaml = result?.files[0]?.content ?? '';
  expect(yaml).toContain('namespace: prod');
  expect(yaml).toContain('host: payments.prod.svc.cluster.local');
  expect(yaml).toMatch(/hosts: \[ ?payments ?\]|- payments$/m);
  expect(yaml).toContain('cluster.local/ns/prod/sa/web');
  expect(yaml).not.toContain('shop');
  expect(result?.files[1]?.content).toBe('pay.shop');
  expect(result?.findings.map(({ kind, what }) => `${kind} ${what}`)).toEqual([
    'mapped pay.shop becomes payments.prod.svc.cluster.local',
    'approximated pay.shop becomes payments.prod.svc.cluster.local, not payments-old.prod.svc.cluster.local',
    'approximated api.example.com stays stub.shop',
    'mapped shop becomes prod',
  ]);
});

test('labels and ports of Services that come along propose what names do not', async () => {
  const service = (name: string, selector: string, port: number) => `---
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: prod }
spec: { selector: { app: ${selector} }, ports: [{ port: 80, targetPort: ${port} }] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${name}, namespace: prod }
spec: { host: ${name} }
`;
  const local = new Map([
    ['ledger.shop', { name: 'ledger', namespace: 'shop', ports: [{ port: 7_000 }] }],
    ['stock.shop', { name: 'stock', namespace: 'shop', ports: [{ port: 7_100 }] }],
  ]);
  const { mapping } = await run(service('bookkeeping', 'ledger', 9_000) + service('warehouse', 'wh', 7_100), {}, local);
  const of = (name: string) => mapping.find(({ from }) => from.startsWith(`${name}.`));
  expect(of('bookkeeping')).toMatchObject({ to: 'ledger.shop', candidates: ['ledger.shop'] });
  expect(of('warehouse')).toMatchObject({ to: null, candidates: ['stock.shop'] });
});

test('a compose file proposes services and changes nothing', async () => {
  const compose = `name: Shop
services:
  web: {image: nginx:1.27, ports: ["8080:80", {target: 443}]}
  payments: {image: acme/payments}
  payments-v2: {image: acme/payments}
  payments-canary: {image: acme/payments, expose: [9000]}
  metrics: {image: prom, network_mode: host}
`;
  const { services, resources, skipped, findings } = await run(compose, {}, here(), 'compose.yaml');
  expect([resources, skipped, findings]).toEqual([[], [], []]);
  expect(services).toMatchObject([
    { name: 'web', service: 'web', namespace: 'shop', version: '1.27', ports: [80, 443], labels: {}, line: 3 },
    { name: 'payments', service: 'payments', version: 'v1', labels: { 'dev.meshdesk.version': 'v1' } },
    { name: 'payments-v2', service: 'payments', version: 'v2', labels: {} },
    {
      name: 'payments-canary',
      service: 'payments',
      version: 'canary',
      ports: [9000],
      labels: { 'dev.meshdesk.service': 'payments', 'dev.meshdesk.version': 'canary' },
    },
    { name: 'metrics', problem: "uses the host's network: give it a network of its own" },
  ]);
});

test('a resource that is in the project already is changed where it is', async () => {
  await writeFile(join(dir, 'mine.yaml'), rendered.replaceAll('prod', 'shop').replace('---\n', '# mine\n---\n'));
  store.close();
  store = new FileResourceStore({ dir, log: silentLogger, nowMs: () => 1_000, onNotice: () => undefined });
  await store.start();
  const { written, resources } = await run(dump, { write: true });
  expect(resources).toMatchObject([{ path: 'mine.yaml', replaces: true }]);
  expect(written).toEqual(['mine.yaml', 'resources.yaml']);
  expect(await readFile(join(dir, 'mine.yaml'), 'utf8')).toContain('host: payments.shop.svc.cluster.local');
});

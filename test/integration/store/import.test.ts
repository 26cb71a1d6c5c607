/** Configuration of a cluster, of Helm and of compose files on its way into a project on disk. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ImportInput } from '../../../core/contract/import-shapes.ts';
import { FileResourceStore } from '../../../core/control-plane/store/file-resource-store.ts';
import { importTexts } from '../../../core/control-plane/store/import/import-texts.ts';
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
  expect(written).toEqual(['traffic/shop.payments.yaml']);
  const text = await readFile(join(dir, 'traffic', 'shop.payments.yaml'), 'utf8');
  expect(text).toContain('# Source: shop/templates/routes.yaml');
  expect(text).toContain('namespace: shop # of the chart');
  expect(text).toContain('# the old one first');
  expect(text).toContain('hosts: [ payments ]');
  expect(text).toContain('host: payments\n');
  expect(store.all()).toMatchObject([{ kind: 'VirtualService', metadata: { namespace: 'shop' } }]);
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
  expect(written).toEqual(['mine.yaml']);
  expect(await readFile(join(dir, 'mine.yaml'), 'utf8')).toContain('host: payments.shop.svc.cluster.local');
});

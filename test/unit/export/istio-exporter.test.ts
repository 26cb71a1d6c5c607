import { describe, expect, it } from 'vitest';
import { MeshError } from '../../../core/contract/errors.ts';
import { previewExport } from '../../../core/export/exporters.ts';
import type { FaultDefinition } from '../../../core/model/fault-injection.ts';
import { parseResources } from '../../../core/model/parse-resources.ts';
import { printResources } from '../../../core/model/print-resources.ts';
import type { Resource } from '../../../core/model/resource.ts';
import { compileRoutes } from '../../../core/policy/match-route.ts';
import type { ActiveFault, SnapshotWorkload } from '../../../core/snapshot/snapshot.ts';
import { toSplitResources } from '../../../core/snapshot/split.ts';
import { request } from '../policy/request.ts';
import { configOf, fault, meshOf, routes, serviceIn, shop, versions, workload } from '../snapshot/mesh-of.ts';

interface Given {
  readonly workloads?: readonly SnapshotWorkload[];
  readonly yaml?: string;
  readonly faults?: readonly ActiveFault[];
  readonly definitions?: readonly FaultDefinition[];
}

function exported({ workloads = shop(), yaml = '', faults = [], definitions = [] }: Given = {}) {
  const snapshot = meshOf(workloads, yaml, { faults });
  const [result] = previewExport(['istio'], { snapshot, faultDefinitions: definitions });
  if (result === undefined) throw new Error('no result');
  const file = (path: string) => result.files.find((candidate) => candidate.path === path)?.content;
  const manifests = result.files.filter(({ path }) => path.endsWith('.yaml') && path !== 'kustomization.yaml');
  const resources = manifests.flatMap(({ path, content }) => {
    const parsed = parseResources(content, path);
    expect(parsed.findings.filter(({ severity }) => severity === 'error')).toEqual([]);
    return parsed.resources;
  });
  const found = (kind: 'mapped' | 'approximated' | 'dropped') =>
    result.findings.filter((finding) => finding.kind === kind).map(({ what, reason }) => `${what}: ${reason}`);
  return { ...result, file, resources, found };
}

const ofKind = <K extends Resource['kind']>(resources: readonly Resource[], kind: K) =>
  resources.filter((resource): resource is Extract<Resource, { kind: K }> => resource.kind === kind);

const splitYaml = printResources(
  Object.values(
    toSplitResources({
      ...{ service: 'payments', namespace: 'shop', versions: ['v1', 'v2'] },
      weights: [
        { subset: 'v1', weight: 90 },
        { subset: 'v2', weight: 10 },
      ],
      pins: [{ name: 'x-beta', value: '1', subset: 'v2' }],
    }),
  ),
);

describe('export to Istio', () => {
  it('with nothing set has the versions as subsets and the mTLS mode in force', () => {
    const { files, resources } = exported();
    expect(files.map(({ path }) => path)).toEqual([
      ...['REPORT.md', 'kustomization.yaml', 'shop/payments.yaml', 'shop/peer-authentication.yaml'],
    ]);
    expect(resources).toEqual([
      {
        apiVersion: 'networking.istio.io/v1',
        kind: 'DestinationRule',
        metadata: { name: 'payments', namespace: 'shop' },
        spec: {
          host: 'payments.shop.svc.cluster.local',
          subsets: [
            { name: 'v1', labels: { version: 'v1' } },
            { name: 'v2', labels: { version: 'v2' } },
          ],
        },
      },
      {
        apiVersion: 'security.istio.io/v1',
        kind: 'PeerAuthentication',
        metadata: { name: 'default', namespace: 'shop' },
        spec: { mtls: { mode: 'PERMISSIVE' } },
      },
    ]);
  });

  it('of a mesh with nothing attached and nothing set is a report without manifests', () => {
    const workloads = shop().map((one) => ({ ...one, attached: false }));
    const { files, resources, file } = exported({ workloads });
    expect(files).toHaveLength(2);
    expect(resources).toEqual([]);
    expect(file('kustomization.yaml')).toContain('resources: []');
  });

  it('is the same bytes every time, and lists every manifest for kustomize', () => {
    const { files, file } = exported({ yaml: splitYaml });
    expect(exported({ yaml: splitYaml, workloads: shop().toReversed() }).files).toEqual(files);
    expect(file('kustomization.yaml')).toBe(
      'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n  - shop/payments.yaml\n  - shop/peer-authentication.yaml\n',
    );
  });

  it('writes the split with full host names', async () => {
    const { file } = exported({ yaml: splitYaml });
    await expect(file('shop/payments.yaml')).toMatchFileSnapshot('../../fixtures/export/istio/split.yaml');
  });

  it('routes like here when it is read back', () => {
    const { resources } = exported({ yaml: splitYaml });
    const routesOf = (yaml: string) => serviceIn(configOf(meshOf(shop(), yaml), 'web'), 'payments.shop').routes;
    expect(routesOf(printResources(resources))).toEqual(routesOf(splitYaml));
  });

  it('has one VirtualService per host and says which other one is dropped', () => {
    const rule = '[{ route: [{ destination: { host: payments } }] }]';
    const { resources, found } = exported({ yaml: `${routes(rule, 'a')}---${routes(rule, 'b')}` });
    expect(ofKind(resources, 'VirtualService')).toHaveLength(1);
    expect(found('dropped')).toEqual([
      'VirtualService shop/b: one VirtualService per host: VirtualService shop/a is used',
    ]);
  });

  it('merges the DestinationRules of a host and keeps what is not applied here', () => {
    const policy = versions
      .replace('name: payments', 'name: policy')
      .replace('subsets:', 'trafficPolicy: { connectionPool: { tcp: { maxConnections: 1 } } }\n  subsets:');
    const { resources } = exported({ yaml: `${versions}---${policy}` });
    expect(ofKind(resources, 'DestinationRule')).toMatchObject([
      {
        spec: {
          trafficPolicy: { connectionPool: { tcp: { maxConnections: 1 } } },
          subsets: [{ name: 'v1' }, { name: 'v2' }],
        },
      },
    ]);
  });

  it('keeps rules, retries and other kinds as they are', () => {
    const yaml = `${routes('[{ retries: { attempts: 3 }, route: [{ destination: { host: payments } }] }]')}---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: nothing, namespace: shop }
spec: {}
---${routes('[{ route: [{ destination: { host: example.com } }] }]', 'outside', 'shop', '[example.com]')}`;
    const { resources, file } = exported({ yaml });
    expect(ofKind(resources, 'AuthorizationPolicy')).toHaveLength(1);
    expect(
      ofKind(resources, 'VirtualService').find(({ metadata }) => metadata.name === 'payments')?.spec.http,
    ).toMatchObject([{ retries: { attempts: 3 } }]);
    expect(file('kept.yaml')).toContain('example.com');
  });

  it('leaves out what only this machine has, and keeps a workload of another one', () => {
    const entry = (name: string, address: string) =>
      `apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: { name: ${name}, namespace: shop }\nspec: { address: ${address} }\n`;
    const { resources, found } = exported({ yaml: `${entry('mine', '127.0.0.1')}---\n${entry('vm', '10.0.0.9')}` });
    expect(ofKind(resources, 'WorkloadEntry').map(({ metadata }) => metadata.name)).toEqual(['vm']);
    expect(found('dropped')).toEqual([
      'WorkloadEntry shop/mine: it is a process of this machine; production runs the service elsewhere',
    ]);
  });

  it('writes a VirtualService of many hosts once per service', () => {
    const rule = '[{ timeout: 1s, route: [{ destination: { host: payments } }] }]';
    const { resources, found } = exported({ yaml: routes(rule, 'all', 'shop', '["*.local"]') });
    expect(ofKind(resources, 'VirtualService').map(({ spec }) => spec.hosts)).toEqual([
      ['payments.shop.svc.cluster.local'],
      ['web.shop.svc.cluster.local'],
    ]);
    expect(found('approximated')[0]).toContain('one VirtualService per service');
  });

  it('gives names that Kubernetes does not allow others, and says so', () => {
    const odd = workload({ name: 'My_Api', namespace: 'my_shop', version: 'v1' });
    const { resources, found } = exported({ workloads: [odd] });
    expect(resources.map(({ metadata }) => metadata)).toEqual([
      { name: 'my-api', namespace: 'my-shop' },
      { name: 'default', namespace: 'my-shop' },
    ]);
    expect(found('approximated')).toEqual([
      'My_Api.my_shop: Kubernetes does not allow this name; it is my-api.my-shop here',
    ]);
  });

  it('writes the mode of the mesh and policies of workloads', () => {
    const policy = (namespace: string, spec: string) =>
      `apiVersion: security.istio.io/v1beta1\nkind: PeerAuthentication\nmetadata: { name: p, namespace: ${namespace} }\nspec: ${spec}\n`;
    const { resources } = exported({
      yaml: `${policy('istio-system', '{ mtls: { mode: STRICT } }')}---\n${policy('shop', '{ selector: { matchLabels: { app: web } }, portLevelMtls: { 8080: { mode: DISABLE } } }')}`,
    });
    expect(
      ofKind(resources, 'PeerAuthentication').map(({ metadata, spec }) => [
        metadata.namespace,
        metadata.name,
        spec.mtls,
      ]),
    ).toEqual([
      ['istio-system', 'default', { mode: 'STRICT' }],
      ['shop', 'default', { mode: 'STRICT' }],
      ['shop', 'p', undefined],
    ]);
  });
});

describe('faults in an export to Istio', () => {
  const rulesOf = (given: Given) => ofKind(exported(given).resources, 'VirtualService')[0]?.spec.http ?? [];

  it('of one caller get a rule of their own before the others', () => {
    const rules = rulesOf({ yaml: splitYaml, faults: [fault({ from: 'web.shop', to: 'payments.shop' })] });
    expect(rules.map(({ name, fault: injected }) => [name, injected !== undefined])).toEqual([
      ...[
        ['pin-x-beta-1-from-web-shop', true],
        ['pin-x-beta-1', false],
      ],
      ...[
        ['split-from-web-shop', true],
        ['split', false],
      ],
    ]);
    expect(rules[0]?.match).toEqual([
      { headers: { 'x-beta': { exact: '1' } }, sourceNamespace: 'shop', sourceLabels: { app: 'web' } },
    ]);
    expect(rules[2]).toMatchObject({
      match: [{ sourceNamespace: 'shop', sourceLabels: { app: 'web' } }],
      fault: { delay: { percentage: { value: 30 }, fixedDelay: '400ms' } },
    });
  });

  it('of every caller go into the rule, both kinds together', () => {
    const rules = rulesOf({
      faults: [
        fault({ id: 'a', to: 'payments.shop' }),
        fault({ id: 'b', to: 'payments.shop', percent: 10, action: { kind: 'abort', httpStatus: 503 } }),
      ],
    });
    expect(rules).toEqual([
      {
        name: 'default',
        fault: {
          delay: { percentage: { value: 30 }, fixedDelay: '400ms' },
          abort: { percentage: { value: 10 }, httpStatus: 503 },
        },
        route: [{ destination: { host: 'payments.shop.svc.cluster.local' } }],
      },
    ]);
  });

  it('of one route go into that rule only', () => {
    const rules = rulesOf({ yaml: splitYaml, faults: [fault({ to: 'payments.shop', route: 'split' })] });
    expect(rules.map(({ fault: injected }) => injected !== undefined)).toEqual([false, true]);
  });

  it('say what Istio does differently: order, expiry, one of a kind per rule, unknown routes, switched off', () => {
    const { found } = exported({
      faults: [
        fault({ id: 'a', to: 'payments.shop', expiresAtMs: 1 }),
        fault({ id: 'b', to: 'payments.shop' }),
        fault({ id: 'c', to: 'payments.shop', route: 'nope' }),
      ],
      definitions: [
        { ...fault({ id: 'd', from: 'web.shop', to: 'payments.shop' }), durationMs: null },
        { ...fault({ id: 'a', to: 'payments.shop' }), durationMs: 1 },
      ],
    });
    expect(found('approximated')).toEqual([
      'fault a: delay 400ms for 30 % of every caller -> payments.shop: Istio faults do not expire: take it out of the VirtualService yourself',
      'fault a: delay 400ms for 30 % of every caller -> payments.shop: Istio applies a fault once, before retries and timeouts; here it acts inside every try, unless faultOrder says istio',
      'fault b: delay 400ms for 30 % of every caller -> payments.shop: Istio applies a fault once, before retries and timeouts; here it acts inside every try, unless faultOrder says istio',
    ]);
    expect(found('dropped')).toEqual([
      'fault c: delay 400ms for 30 % of every caller -> payments.shop: the service has no route "nope"',
      'fault b: an Istio rule holds one delay; rule "default" has one already',
      'fault d: web.shop -> payments.shop: it is switched off; switch it on and export again to have it in production',
    ]);
  });

  it('act on the same edges when the export is read back', () => {
    const faults = [fault({ from: 'web.shop', to: 'payments.shop' })];
    const { resources } = exported({ yaml: splitYaml, faults });
    const snapshot = meshOf(shop(), printResources(resources));
    expect(configOf(snapshot, 'web').faults.map(({ route, percent }) => [route, percent])).toEqual([
      ['pin-x-beta-1-from-web-shop', 30],
      ['split-from-web-shop', 30],
    ]);
    const winner = (source: string) =>
      compileRoutes(serviceIn(configOf(snapshot, source), 'payments.shop').routes)(request())?.name;
    expect([winner('web'), winner('payments')]).toEqual(['split-from-web-shop', 'split']);
  });
});

describe('the report of an export', () => {
  it('reads like this', async () => {
    const faults = [fault({ from: 'web.shop', to: 'payments.shop', expiresAtMs: 1 })];
    const { file } = exported({ yaml: splitYaml, faults });
    await expect(file('REPORT.md')).toMatchFileSnapshot('../../fixtures/export/istio/REPORT.md');
  });

  it('names the namespaces that are exported, not those that merely run here', () => {
    const stranger = workload({ name: 'stranger', namespace: 'elsewhere', attached: false });
    const { file } = exported({ workloads: [...shop(), stranger] });
    expect(file('REPORT.md')).toContain('The namespaces (`shop`) exist');
  });
});

describe('export targets', () => {
  it('that do not exist are refused with those that do', () => {
    const input = { snapshot: meshOf([]), faultDefinitions: [] };
    expect(() => previewExport(['nomesh'], input)).toThrow(MeshError);
    expect(() => previewExport(['nomesh'], input)).toThrow('known targets: istio');
  });
});

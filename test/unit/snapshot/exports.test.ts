/** Who sees which rule: `exportTo`, the lookup path of DestinationRules, `workloadSelector`. Source: Istio push_context.go, sidecar.go. */
import { describe, expect, it } from 'vitest';
import { exportsMeet, exportTier } from '../../../core/snapshot/visibility/exports.ts';
import { configOf, meshOf, serviceIn, workload } from './mesh-of.ts';

const at = (name: string, namespace: string, ip: string, labels: Record<string, string> = {}) =>
  workload({ name, namespace, labels, addresses: [{ network: 'shop', ip, aliases: [`${name}.${namespace}`] }] });
const workloads = [
  at('payments', 'shop', '10.0.0.1'),
  at('web', 'shop', '10.0.0.2', { tier: 'front' }),
  at('batch', 'jobs', '10.0.0.3', { tier: 'front' }),
  at('ingress', 'istio-system', '10.0.0.4'),
];
const host = 'payments.shop.svc.cluster.local';

const virtualService = (name: string, namespace: string, more = '') => `---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name}, namespace: ${namespace} }
spec: { hosts: [${host}], ${more} http: [{ name: ${name}, route: [{ destination: { host: ${host} } }] }] }
`;
const rule = (name: string, namespace: string, requests: number, more = '', forHost = host) => `---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${name}, namespace: ${namespace} }
spec: { host: "${forHost}", ${more} trafficPolicy: { connectionPool: { http: { http2MaxRequests: ${requests} } } } }
`;

const routesOf = (yaml: string, caller: string) =>
  serviceIn(configOf(meshOf(workloads, yaml), caller), 'payments.shop').routes.map(({ name }) => name);
const maxRequestsOf = (yaml: string, caller: string) =>
  serviceIn(configOf(meshOf(workloads, yaml), caller), 'payments.shop').policies?.[0]?.policy.maxRequests ?? null;

describe('exportTo', () => {
  it.each([
    [undefined, 'jobs', 2],
    [[], 'jobs', 2],
    [['*'], 'jobs', 2],
    [['.'], 'shop', 0],
    [['.'], 'jobs', null],
    [['jobs'], 'jobs', 1],
    [['jobs'], 'shop', null],
    [['~'], 'shop', null],
  ])('%j of shop is seen from %s as %s', (exportTo, namespace, tier) => {
    expect(exportTier(exportTo, 'shop', namespace)).toBe(tier);
  });

  it('of two rules meets where a namespace sees both alike', () => {
    expect(exportsMeet(undefined, ['*'], 'shop', 'jobs')).toBe(true);
    expect(exportsMeet(['.'], ['.'], 'shop', 'jobs')).toBe(false);
    expect(exportsMeet(['.'], ['*'], 'shop', 'shop')).toBe(false);
    expect(exportsMeet(['a', 'b'], ['b'], 'shop', 'shop')).toBe(true);
  });
});

describe('a VirtualService', () => {
  it('is for those who see it', () => {
    const yaml = virtualService('own', 'shop', 'exportTo: ["."],');
    expect(routesOf(yaml, 'web')).toEqual(['own']);
    expect(routesOf(yaml, 'batch')).toEqual([]);
    const named = virtualService('named', 'shop', 'exportTo: [jobs],');
    expect(routesOf(named, 'web')).toEqual([]);
    expect(routesOf(named, 'batch')).toEqual(['named']);
  });

  it('for one namespace alone comes before one for it by name, and that before one for all', () => {
    const yaml =
      virtualService('all', 'shop') +
      virtualService('named', 'shop', 'exportTo: [jobs],') +
      virtualService('own', 'jobs', 'exportTo: ["."],');
    expect(routesOf(yaml, 'batch')).toEqual(['own']);
    expect(routesOf(yaml.replace(virtualService('own', 'jobs', 'exportTo: ["."],'), ''), 'batch')).toEqual(['named']);
    expect(routesOf(yaml, 'web')).toEqual(['all']);
  });

  it('that nobody sees beside another is no conflict; two that somebody sees alike are', () => {
    const conflicts = (yaml: string) =>
      meshOf(workloads, yaml).findings.filter(({ code }) => code === 'CONFLICTING_HOST').length;
    const own = virtualService('a', 'shop', 'exportTo: ["."],');
    expect(conflicts(own + virtualService('b', 'jobs', 'exportTo: ["."],'))).toBe(0);
    expect(conflicts(own + virtualService('b', 'shop', 'exportTo: ["."],'))).toBe(1);
    expect(conflicts(virtualService('a', 'shop') + virtualService('b', 'jobs'))).toBe(1);
  });
});

describe('a DestinationRule', () => {
  it('of the caller’s namespace counts, else of the service’s, else of the root namespace', () => {
    const root = rule('root', 'istio-system', 1, '', '*.svc.cluster.local');
    const service = rule('service', 'shop', 2);
    const client = rule('client', 'jobs', 3);
    expect(maxRequestsOf(root, 'batch')).toBe(1);
    expect(maxRequestsOf(root + service, 'batch')).toBe(2);
    expect(maxRequestsOf(root + service + client, 'batch')).toBe(3);
    expect(maxRequestsOf(root + service + client, 'web')).toBe(2);
  });

  it('is looked for elsewhere where it is not exported to the caller, also in the caller’s own namespace', () => {
    const root = rule('root', 'istio-system', 1, '', '*.svc.cluster.local');
    const service = rule('service', 'shop', 2, 'exportTo: ["."],');
    expect(maxRequestsOf(root + service, 'web')).toBe(2);
    expect(maxRequestsOf(root + service, 'batch')).toBe(1);
    expect(maxRequestsOf(rule('own', 'jobs', 3, 'exportTo: [shop],'), 'batch')).toBe(null);
    expect(maxRequestsOf(rule('own', 'jobs', 3, 'exportTo: [shop, jobs],'), 'batch')).toBe(3);
    expect(maxRequestsOf(rule('own', 'jobs', 3, 'exportTo: [shop],') + service, 'batch')).toBe(null);
  });

  it('of the root namespace is for its own callers first only when it is for them alone', () => {
    const all = rule('all', 'istio-system', 1);
    const alone = rule('alone', 'istio-system', 4, 'exportTo: ["."],');
    const service = rule('service', 'shop', 2);
    expect(maxRequestsOf(all + service, 'ingress')).toBe(2);
    expect(maxRequestsOf(all + alone + service, 'ingress')).toBe(4);
  });

  it('that selects callers by labels is for those of its namespace, before the one for all', () => {
    const selector = 'workloadSelector: { matchLabels: { tier: front } },';
    const yaml = rule('all', 'shop', 2) + rule('some', 'shop', 5, selector);
    expect(maxRequestsOf(yaml, 'web')).toBe(5);
    expect(maxRequestsOf(yaml, 'payments')).toBe(2);
    expect(maxRequestsOf(yaml, 'batch')).toBe(2);
    expect(maxRequestsOf(rule('some', 'shop', 5, selector), 'payments')).toBe(null);
  });

  it('that selects other callers hides what the root namespace says, for callers of its namespace', () => {
    const root = rule('root', 'istio-system', 1, '', '*.svc.cluster.local');
    const some = rule('some', 'shop', 5, 'workloadSelector: { matchLabels: { tier: back } },');
    expect(maxRequestsOf(root + some, 'web')).toBe(null);
    expect(maxRequestsOf(root + some, 'batch')).toBe(1);
    expect(maxRequestsOf(root, 'web')).toBe(1);
  });

  it('for all adds its subsets to an older one that selects callers, and its policy where that has none', () => {
    const subset = (name: string) => `subsets: [{ name: ${name}, labels: { version: ${name} } }],`;
    const selector = 'workloadSelector: { matchLabels: { tier: front } },';
    const yaml = rule('a', 'shop', 5, selector + subset('v1')) + rule('b', 'shop', 6, subset('v2'));
    const of = (caller: string) => serviceIn(configOf(meshOf(workloads, yaml), caller), 'payments.shop');
    expect(of('web').subsets.map(({ name }) => name)).toEqual(['v1', 'v2']);
    expect(maxRequestsOf(yaml, 'web')).toBe(5);
    expect(of('payments').subsets.map(({ name }) => name)).toEqual(['v2']);
    expect(maxRequestsOf(yaml, 'payments')).toBe(6);
  });
});

/** Policies that the Gateway API attaches to what is called, as callers are told. */
import { describe, expect, it } from 'vitest';
import { keptFields } from '../../../core/model/kept-fields.ts';
import { parseResources } from '../../../core/model/parse-resources.ts';
import type { ClusterPolicy } from '../../../core/model/traffic-config.ts';
import { policyOf } from '../../../core/model/traffic-config.ts';
import { filesNeeded } from '../../../core/snapshot/policies/upstream-tls.ts';
import { configOf, meshOf, resourcesOf, serviceIn, shop } from './mesh-of.ts';

interface Given {
  readonly name?: string;
  readonly target?: string;
  readonly annotations?: string;
  readonly created?: string;
}

const service = '{ group: "", kind: Service, name: payments }';
function tlsPolicy(validation: string, { name = 'tls', target = service, annotations = '{}', created }: Given = {}) {
  const metadata = `{ name: ${name}, namespace: shop, annotations: ${annotations}${created === undefined ? '' : `, creationTimestamp: "${created}"`} }`;
  return `apiVersion: gateway.networking.k8s.io/v1\nkind: BackendTLSPolicy\nmetadata: ${metadata}\nspec: { targetRefs: [${target}], validation: { ${validation} } }\n---\n`;
}
const trafficPolicy = (constraint: string) =>
  `apiVersion: gateway.networking.x-k8s.io/v1alpha1\nkind: XBackendTrafficPolicy\nmetadata: { name: retries, namespace: shop }\nspec: { targetRefs: [${service}], retryConstraint: ${constraint} }\n---\n`;
const rule = (policy: string, more = '') =>
  `apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: { name: own, namespace: shop }\nspec: { host: payments, trafficPolicy: { ${policy} }${more} }\n---\n`;
const entry = `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: api, namespace: shop }
spec: { hosts: [api.example.com], resolution: DNS, ports: [{ number: 443, name: https-api, protocol: HTTP }, { number: 80, name: http, protocol: HTTP }] }
---
`;

const policyFor = (yaml: string, port = 8_080, key = 'payments.shop', subset: string | null = null) =>
  policyOf(serviceIn(configOf(meshOf(shop(), yaml), 'web'), key).policies ?? [], subset, port);

const system = 'hostname: pay.example.com, wellKnownCACertificates: System';
const roots = 'hostname: pay.example.com, caCertificateRefs: [{ group: "", kind: ConfigMap, name: pay-ca }]';
const simple: ClusterPolicy = { tls: { sni: 'pay.example.com', names: 'any' } };

describe('a BackendTLSPolicy', () => {
  it.each<[string, ClusterPolicy]>([
    [system, simple],
    [roots, { tls: { sni: 'pay.example.com', names: 'any', caFile: 'configmap:shop/pay-ca' } }],
    [
      `${system}, subjectAltNames: [{ type: Hostname, hostname: a.example.com }, { type: URI, uri: "spiffe://x/y" }]`,
      { tls: { sni: 'pay.example.com', names: ['a.example.com', 'spiffe://x/y'] } },
    ],
  ])('makes callers of a service begin TLS: %s', (validation, expected) => {
    expect(policyFor(tlsPolicy(validation))).toEqual(expected);
  });

  it('asks for the ConfigMap where its roots are', () => {
    expect(filesNeeded(configOf(meshOf(shop(), tlsPolicy(roots)), 'web'))).toEqual(['configmap:shop/pay-ca']);
  });

  it('is for a port alone that it names, by name of a ServiceEntry, by number of a service', () => {
    const ofPort = '{ group: "", kind: Service, name: payments, sectionName: https-8080 }';
    expect(policyFor(tlsPolicy(system, { target: ofPort }))).toEqual(simple);
    expect(policyFor(tlsPolicy(system, { target: ofPort }), 9_090)).toEqual({});
    const target = '{ group: networking.istio.io, kind: ServiceEntry, name: api, sectionName: https-api }';
    const yaml = entry + tlsPolicy(system, { target });
    expect(policyFor(yaml, 443, 'api.example.com')).toEqual(simple);
    expect(policyFor(yaml, 80, 'api.example.com')).toEqual({});
  });

  it('says what a DestinationRule of the namespace leaves open, group by group, for its subsets too', () => {
    const pool = 'connectionPool: { tcp: { connectTimeout: 1s } }';
    const both = { ...simple, connectTimeoutMs: 1_000 };
    const subsets = ', subsets: [{ name: v1, trafficPolicy: { tls: { mode: DISABLE } } }]';
    expect(policyFor(rule(pool) + tlsPolicy(system))).toEqual(both);
    expect(policyFor(rule('tls: { mode: DISABLE }') + tlsPolicy(system))).toEqual({ plaintext: true });
    const yaml = rule(pool, subsets) + tlsPolicy(system);
    expect(policyFor(yaml)).toEqual(both);
    expect(policyFor(yaml, 8_080, 'payments.shop', 'v1')).toEqual({ connectTimeoutMs: 1_000, plaintext: true });
  });

  it('gives way to an older one, and does nothing where it asks to be ignored', () => {
    const younger = tlsPolicy('hostname: b, wellKnownCACertificates: System', { created: '2026-02-01T00:00:00Z' });
    const older = tlsPolicy(system, { name: 'z', created: '2026-01-01T00:00:00Z' });
    expect(policyFor(younger + older)).toEqual(simple);
    expect(policyFor(tlsPolicy(system, { annotations: '{ istio.io/ignore-policy-attachment: "true" }' }))).toEqual({});
  });

  it('is no DestinationRule of the project', () => {
    expect(meshOf(shop(), tlsPolicy(system)).resources.destinationRules).toEqual([]);
  });

  it.each([
    'hostname: a',
    'hostname: a, wellKnownCACertificates: System, caCertificateRefs: [{ group: "", kind: ConfigMap, name: c }]',
    'hostname: "*.a", wellKnownCACertificates: System',
    'hostname: a, wellKnownCACertificates: System, subjectAltNames: [{ type: URI, hostname: a }]',
  ])('is refused with validation: %s', (validation) => {
    expect(parseResources(tlsPolicy(validation), null).findings.map(({ severity }) => severity)).toContain('error');
  });
});

describe('an XBackendTrafficPolicy', () => {
  it('limits retries, together with a BackendTLSPolicy', () => {
    const yaml = trafficPolicy('{ budget: { percent: 5 }, minRetryRate: { count: 3 } }') + tlsPolicy(system);
    expect(policyFor(yaml)).toEqual({ ...simple, retryBudget: { percent: 5, minRetryConcurrency: 3 } });
    expect(policyFor(trafficPolicy('{}'))).toEqual({ retryBudget: { percent: 20, minRetryConcurrency: 10 } });
  });

  it('keeps the window of its budget', () => {
    const kept = resourcesOf(trafficPolicy('{ budget: { interval: 10s } }')).flatMap(keptFields);
    expect(kept).toEqual([['spec', 'retryConstraint', 'budget', 'interval']]);
  });
});

describe('findings on backend policies', () => {
  const said = (yaml: string, hasRoots = (_name: string) => false) =>
    meshOf(shop(), yaml, { hasRoots }).findings.map(({ code, message }) => `${code} ${message}`);

  it('name targets and CAs that are not there, and policies that come too late', () => {
    const nobody = tlsPolicy(system, { target: '{ group: "", kind: Service, name: nobody }' });
    expect(said(nobody)).toEqual([
      'UNKNOWN_HOST BackendTLSPolicy shop/tls: there is no Service shop/nobody that it could be attached to',
    ]);
    expect(said(tlsPolicy(roots))).toEqual([
      'NO_CREDENTIAL BackendTLSPolicy shop/tls: there is no ConfigMap shop/pay-ca with ca.crt, so calls fail',
    ]);
    expect(said(tlsPolicy(roots), (name) => name === 'configmap:shop/pay-ca')).toEqual([]);
    expect(said(tlsPolicy(system) + tlsPolicy(system, { name: 'z' }))).toEqual([
      'CONFLICTING_HOST BackendTLSPolicy shop/z is not used for Service payments: BackendTLSPolicy shop/tls comes first',
    ]);
  });
});

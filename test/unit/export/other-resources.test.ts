import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { keptFile, otherResources } from '../../../core/export/istio/other-resources.ts';
import { meshOf, shop } from '../snapshot/mesh-of.ts';

const resource = (apiVersion: string, kind: string, name: string, spec: unknown) =>
  `${JSON.stringify({ apiVersion, kind, metadata: { name, namespace: 'shop' }, spec })}\n---\n`;
const exported = (yaml: string) => {
  const { resources, files, findings } = otherResources(meshOf(shop(), yaml));
  const found = (kind: string) => findings.filter((one) => one.kind === kind).map(({ what }) => what);
  return { resources, files, findings, found };
};

describe('what no service owns in an export to Istio', () => {
  it('goes out as it is, applied here or not', () => {
    const { resources, findings } = exported(
      resource('networking.istio.io/v1', 'ServiceEntry', 'api', {
        hosts: ['api.example.com'],
        ports: [{ number: 443, name: 'https', protocol: 'TLS' }],
        resolution: 'DNS',
      }) +
        resource('extensions.istio.io/v1alpha1', 'WasmPlugin', 'tags', { url: 'oci://example.com/tags:1' }) +
        resource('networking.istio.io/v1', 'VirtualService', 'door', {
          hosts: ['payments'],
          gateways: ['edge'],
          http: [{ route: [{ destination: { host: 'payments' } }] }],
        }),
    );
    expect(resources.map(({ kind }) => kind).sort()).toEqual(['ServiceEntry', 'VirtualService', 'WasmPlugin']);
    expect(findings.every(({ kind, file }) => kind === 'mapped' && file === keptFile)).toBe(true);
    expect(findings.find(({ what }) => what.startsWith('WasmPlugin'))?.reason).toContain('not applied here');
  });

  it('never has kinds that a cluster does not know: settings become meshConfig, with what Istio cannot say told', () => {
    const { resources, files, found } = exported(
      resource('meshdesk.dev/v1alpha1', 'MeshSettings', 'mesh', {
        trustDomain: 'example.org',
        outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' },
        faultOrder: 'istio',
        retryBodyBytes: 1024,
      }),
    );
    expect(resources).toEqual([]);
    expect(files.map(({ content }) => parse(content))).toEqual([
      { meshConfig: { trustDomain: 'example.org', outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' } } },
    ]);
    expect(found('dropped')).toEqual(['MeshSettings shop/mesh, faultOrder', 'MeshSettings shop/mesh, retryBodyBytes']);
  });

  it('turns an SMI split into a VirtualService, unless the service has one', () => {
    const split = resource('split.smi-spec.io/v1alpha2', 'TrafficSplit', 'canary', {
      service: 'payments',
      backends: [
        { service: 'payments', weight: 90 },
        { service: 'payments-next', weight: 10 },
      ],
    });
    const [virtualService] = exported(split).resources;
    expect(virtualService).toMatchObject({
      kind: 'VirtualService',
      spec: {
        hosts: ['payments.shop.svc.cluster.local'],
        http: [
          { route: [{ weight: 90 }, { destination: { host: expect.stringContaining('payments-next') }, weight: 10 }] },
        ],
      },
    });
    const owned = resource('networking.istio.io/v1', 'VirtualService', 'payments', {
      hosts: ['payments'],
      http: [{ route: [{ destination: { host: 'payments' } }] }],
    });
    expect(exported(split + owned).resources).toEqual([]);
    expect(exported(split + owned).found('dropped')).toEqual(['TrafficSplit shop/canary']);
  });

  it('names every fault that Istio has no words for', () => {
    const fault = (name: string, what: unknown) =>
      resource('meshdesk.dev/v1alpha1', 'FaultInjection', name, { to: 'payments', fault: what });
    const { resources, findings } = exported(
      fault('slow', { tcp: { latency: { latency: '100ms' } } }) +
        fault('late', { delay: { percentage: { value: 10 }, fixedDelay: '1s' } }),
    );
    expect(resources).toEqual([]);
    expect(findings).toMatchObject([
      { kind: 'dropped', what: 'FaultInjection shop/slow', reason: expect.stringContaining('tcp latency') },
    ]);
  });
});

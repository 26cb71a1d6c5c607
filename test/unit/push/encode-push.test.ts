import { describe, expect, it } from 'vitest';
import { encodePush } from '../../../core/control-plane/push/encode-push.ts';
import { applyConfigChange, toConfigChange } from '../../../core/model/config-change.ts';
import { ToSidecar } from '../../../core/model/control-stream.ts';
import type { SidecarConfig } from '../../../core/model/sidecar-config.ts';
import { compileSnapshot } from '../../../core/snapshot/compile-snapshot.ts';
import { continueFrom } from '../../../core/snapshot/to-sidecar-config.ts';
import { configOf, meshOf, routes, shop, versions, workload } from '../snapshot/mesh-of.ts';

const textOf = (parts: readonly (string | Buffer)[]) => parts.map(String).join('');

/** So many services that their bytes are worth sharing. */
function large(count: number): SidecarConfig[] {
  const workloads = Array.from({ length: count }, (_, index) =>
    workload({ name: `näme${index}`, service: `s${index}` }),
  );
  const mesh = meshOf(workloads, '');
  return workloads.slice(0, 2).map(({ discovered }) => configOf(mesh, discovered.id));
}

describe('a push as parts of a message', () => {
  it('says what the whole message says, small and large', () => {
    const small = configOf(meshOf(shop(), versions), 'web');
    const [first, second] = large(200);
    for (const config of [small, first, second]) {
      if (config === undefined) throw new Error('there are two');
      expect(ToSidecar.parse(JSON.parse(textOf(encodePush(config, null))))).toEqual({ type: 'push', config });
    }
    expect(encodePush(small, null)).toHaveLength(1);
  });

  it('shares the bytes of equal services between sidecars', () => {
    const [first, second] = large(200);
    if (first === undefined || second === undefined) throw new Error('there are two');
    const bytes = [first, second].map((config) => encodePush(config, null)[1]);
    expect(bytes[0]).toBeInstanceOf(Buffer);
    expect(bytes[0]).toBe(bytes[1]);
  });

  it('shares the bytes of the callers of a large mesh, and says what the whole message says', () => {
    const attachedCallers = Array.from({ length: 2_000 }, (_, index) => `10.1.${index >> 8}.${index & 255}`);
    const [first, second] = large(200).map(
      (config): SidecarConfig => ({ ...config, inbound: { ...config.inbound, attachedCallers } }),
    );
    if (first === undefined || second === undefined) throw new Error('there are two');
    const [parts, others] = [encodePush(first, null), encodePush(second, null)];
    expect(parts.map((part) => typeof part)).toEqual(['string', 'object', 'string', 'object', 'string']);
    expect(parts[1]).toBe(others[1]);
    expect(parts[3]).toBe(others[3]);
    expect(ToSidecar.parse(JSON.parse(textOf(parts)))).toEqual({ type: 'push', config: first });
  });

  it('of a change leads to the next configuration', () => {
    const before = configOf(meshOf(shop(), versions), 'web');
    const after = configOf(
      meshOf(shop(), `${versions}---${routes('[{ route: [{ destination: { host: payments } }] }]')}`, { revision: 2 }),
      'web',
    );
    const change = toConfigChange(before, after);
    if (change === null) throw new Error('one of several services has changed');
    const message = ToSidecar.parse(JSON.parse(textOf(encodePush(after, change))));
    if (message.type !== 'push.change') throw new Error(message.type);
    expect(applyConfigChange(before, message)).toEqual(after);
  });
});

describe('the next snapshot', () => {
  const rules = '[{ name: a, match: [{ uri: { prefix: /a } }], route: [{ destination: { host: payments } }] }]';
  const gatewayRoute = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: a, namespace: shop }
spec: { parentRefs: [{ group: "", kind: Service, name: payments }], rules: [{ backendRefs: [{ name: payments, port: 8080 }] }] }
`;

  it.each([
    ['a VirtualService', routes(rules)],
    ['the Gateway API', gatewayRoute],
  ])(
    'of a change of endpoints has the routes of %s of the one before, and every other service as it was',
    (_, yaml) => {
      const before = meshOf(shop(), `${versions}---${yaml}`);
      const older = configOf(before, 'web');
      const moved = shop().map((each) =>
        each.discovered.id === 'payments-v2'
          ? {
              ...each,
              discovered: {
                ...each.discovered,
                addresses: each.discovered.addresses.map((a) => ({ ...a, ip: '10.0.0.99' })),
              },
            }
          : each,
      );
      const { resources: all, trustDomain, rootNamespace } = before;
      const resources = [...all.virtualServices, ...all.destinationRules, ...all.kept];
      const after = compileSnapshot({
        ...{ trustDomain, rootNamespace },
        revision: 2,
        resources,
        workloads: moved,
        faults: [],
      });
      continueFrom(before, after);
      const newer = configOf(after, 'web');
      const serviceOf = (config: SidecarConfig, key: string) => config.services.find((each) => each.key === key);
      expect(serviceOf(newer, 'payments.shop')?.endpoints.some(({ address }) => address === '10.0.0.99')).toBe(true);
      expect(serviceOf(newer, 'payments.shop')?.routes).toHaveLength(1);
      expect(serviceOf(newer, 'payments.shop')?.routes).toBe(serviceOf(older, 'payments.shop')?.routes);
      for (const { key } of newer.services.filter((each) => each.key !== 'payments.shop'))
        expect(serviceOf(newer, key)).toBe(serviceOf(older, key));
      expect(toConfigChange(older, newer)?.config.services.map(({ key }) => key)).toEqual(['payments.shop']);
    },
  );
});

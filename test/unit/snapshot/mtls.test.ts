import { describe, expect, it } from 'vitest';
import { configOf, meshOf, serviceIn, workload } from './mesh-of.ts';

const policy = (name: string, namespace: string, spec: string, created = '') => `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: ${name}, namespace: ${namespace}${created === '' ? '' : `, creationTimestamp: "${created}"`} }
spec: ${spec}
`;
const mesh = policy('mesh', 'istio-system', '{ mtls: { mode: STRICT } }');
const namespace = policy('ns', 'shop', '{ mtls: { mode: DISABLE } }');
const one = policy('one', 'shop', '{ selector: { matchLabels: { app: api } }, mtls: { mode: PERMISSIVE } }');
const ports = policy(
  'ports',
  'shop',
  '{ selector: { matchLabels: { app: api } }, mtls: { mode: PERMISSIVE }, portLevelMtls: { 9090: { mode: STRICT } } }',
);

const api = workload({
  name: 'api',
  ports: [8080, 9090].map((port) => ({ port, protocol: 'auto', publishedPort: null })),
});
const inbound = (...policies: string[]) => {
  const config = configOf(meshOf([workload({ name: 'web' }), api], policies.join('---')), 'api');
  return [config.inbound.mtls, ...config.inbound.ports.map(({ mtls }) => mtls)];
};

describe('mode of mutual TLS', () => {
  it.each([
    ['PERMISSIVE by default', [], ['PERMISSIVE', 'PERMISSIVE', 'PERMISSIVE']],
    ['the policy of the mesh', [mesh], ['STRICT', 'STRICT', 'STRICT']],
    ['namespace over mesh', [mesh, namespace], ['DISABLE', 'DISABLE', 'DISABLE']],
    ['workload over namespace', [mesh, namespace, one], ['PERMISSIVE', 'PERMISSIVE', 'PERMISSIVE']],
    ['port over workload', [mesh, ports], ['PERMISSIVE', 'PERMISSIVE', 'STRICT']],
    [
      'UNSET inherits',
      [
        mesh,
        policy('ns', 'shop', '{ mtls: { mode: UNSET } }'),
        policy('w', 'shop', '{ selector: { matchLabels: { app: api } } }'),
      ],
      ['STRICT', 'STRICT', 'STRICT'],
    ],
    [
      'the oldest of two at one scope',
      [
        policy('a', 'shop', '{ mtls: { mode: STRICT } }', '2024-02-01'),
        policy('b', 'shop', '{ mtls: { mode: DISABLE } }', '2024-01-01'),
      ],
      ['DISABLE', 'DISABLE', 'DISABLE'],
    ],
    [
      'a policy that selects others',
      [policy('w', 'shop', '{ selector: { matchLabels: { app: web } }, mtls: { mode: STRICT } }')],
      ['PERMISSIVE', 'PERMISSIVE', 'PERMISSIVE'],
    ],
    [
      'a selector in the root namespace is ignored',
      [policy('w', 'istio-system', '{ selector: { matchLabels: { app: api } }, mtls: { mode: STRICT } }')],
      ['PERMISSIVE', 'PERMISSIVE', 'PERMISSIVE'],
    ],
    [
      'a policy of another namespace',
      [policy('x', 'other', '{ mtls: { mode: STRICT } }')],
      ['PERMISSIVE', 'PERMISSIVE', 'PERMISSIVE'],
    ],
  ])('%s', (_name, policies, expected) => {
    expect(inbound(...policies)).toEqual(expected);
  });

  it('STRICT begins when the workload is attached and its callers know', () => {
    const attaching = { ...api, attached: false };
    expect(configOf(meshOf([attaching], mesh), 'api').inbound.mtls).toBe('PERMISSIVE');
    expect(configOf(meshOf([api], mesh), 'api').inbound.mtls).toBe('STRICT');
  });

  it('DISABLE makes callers use plaintext', () => {
    const config = (yaml: string) => configOf(meshOf([workload({ name: 'web' }), api], yaml), 'web');
    expect(serviceIn(config(namespace), 'api.shop').endpoints[0]?.mesh).toBe(false);
    expect(serviceIn(config(mesh), 'api.shop').endpoints[0]?.mesh).toBe(true);
  });

  it('DISABLE for some ports only is applied as PERMISSIVE and reported', () => {
    const yaml = policy(
      'p',
      'shop',
      '{ selector: { matchLabels: { app: api } }, mtls: { mode: STRICT }, portLevelMtls: { 9090: { mode: DISABLE } } }',
    );
    expect(inbound(yaml)).toEqual(['STRICT', 'STRICT', 'PERMISSIVE']);
    expect(meshOf([api], yaml).findings).toMatchObject([{ code: 'MIXED_MTLS', severity: 'info' }]);
  });

  it('of the mesh is known to the snapshot, and a policy that does nothing is reported', () => {
    expect(meshOf([api]).mtlsMode).toBe('PERMISSIVE');
    expect(meshOf([api], mesh).mtlsMode).toBe('STRICT');
    const ignored = policy('w', 'istio-system', '{ selector: { matchLabels: { app: api } } }');
    expect(meshOf([api], ignored).findings).toMatchObject([{ code: 'SCOPE_IGNORED', severity: 'warning' }]);
  });
});

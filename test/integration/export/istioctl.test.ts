import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { findIstioctl } from '../../support/istio-tools.ts';
import { exportShop, ordersFaults, writeFiles } from './sample-export.ts';

const run = promisify(execFile);
const istioctl = findIstioctl();

const moreYaml = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web, namespace: shop }
spec:
  hosts: [web]
  http:
    - match: [{ uri: { regex: "/api/.*" }, withoutHeaders: { a: {} } }, { queryParams: { v: { exact: "2" } }, port: 8080 }]
      timeout: 1.5s
      retries: { attempts: 3, perTryTimeout: 400ms }
      route: [{ destination: { host: web, port: { number: 8080 } } }]
    - route: [{ destination: { host: web } }]
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: mesh, namespace: istio-system }
spec: { mtls: { mode: STRICT } }
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: web, namespace: shop }
spec: { selector: { matchLabels: { app: web } }, portLevelMtls: { 8080: { mode: PERMISSIVE } } }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: web, namespace: shop }
spec: { rules: [{ from: [{ source: { namespaces: [shop] } }] }] }
`;

/** What a cluster would have: without it, `analyze` misses the hosts. */
const cluster = ['payments', 'orders', 'web', 'odd-one']
  .map(
    (name) => `apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: shop }
spec: { selector: { app: ${name} }, ports: [{ name: http, port: 8080 }] }
---
${['v1', 'v2', '1.0']
  .map(
    (version) => `apiVersion: v1
kind: Pod
metadata: { name: ${name}-${version}, namespace: shop, labels: { app: ${name}, version: "${version}" } }
spec: { containers: [{ name: app, image: app }, { name: istio-proxy, image: "docker.io/istio/proxyv2:1.30.0" }] }
---
`,
  )
  .join('')}`,
  )
  .concat('apiVersion: v1\nkind: Namespace\nmetadata: { name: shop, labels: { istio-injection: enabled } }\n')
  .join('');

describe('istioctl', () => {
  beforeAll(() => {
    if (istioctl === null) process.stderr.write('skipped: MESHDESK_ISTIOCTL does not name istioctl\n');
  });
  beforeEach((context) => {
    if (istioctl === null) context.skip('MESHDESK_ISTIOCTL does not name istioctl');
  });

  it.each([
    ['a split with a pin', {}],
    ['faults', { faults: ordersFaults }],
    ['everything at once', { faults: ordersFaults, yaml: moreYaml }],
  ])('accepts the export of %s: validate and analyze', async (_name, given) => {
    const manifests = exportShop(given).files.filter(
      ({ path }) => path.endsWith('.yaml') && path !== 'kustomization.yaml',
    );
    const folder = await writeFiles([...manifests, { path: 'cluster.yaml', content: cluster }]);
    try {
      const paths = manifests.map(({ path }) => join(folder, path));
      for (const path of paths) {
        const { stdout, stderr } = await run(String(istioctl), ['validate', '-f', path]);
        expect(`${stdout}${stderr}`.trim()).toBe(`"${path}" is valid`);
      }
      const files = [...paths, join(folder, 'cluster.yaml')];
      const analysis = await run(String(istioctl), [
        'analyze',
        '--use-kube=false',
        '--all-namespaces',
        '--output',
        'json',
        ...files,
      ]);
      const messages: { code: string; level: string; message: string }[] = JSON.parse(analysis.stdout || '[]') ?? [];
      expect(messages.filter(({ level }) => level !== 'Info')).toEqual([]);
      expect(paths.length).toBeGreaterThan(2);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('refuses what is broken, so that its acceptance means something', async () => {
    const broken = moreYaml.replace('attempts: 3', 'attempts: three').replace('web, port', 'web, subset: x, port');
    const folder = await writeFiles([
      { path: 'broken.yaml', content: broken },
      { path: 'subset.yaml', content: broken.replace('attempts: three', 'attempts: 3') },
      { path: 'cluster.yaml', content: cluster },
    ]);
    try {
      await expect(run(String(istioctl), ['validate', '-f', join(folder, 'broken.yaml')])).rejects.toThrow();
      const files = [join(folder, 'subset.yaml'), join(folder, 'cluster.yaml')];
      const analysis = run(String(istioctl), ['analyze', '--use-kube=false', '--all-namespaces', ...files]);
      await expect(analysis).rejects.toMatchObject({ stdout: expect.stringContaining('IST0101') });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

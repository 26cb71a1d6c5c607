/** TLS at an ingress gateway: certificates of the project and of the mesh, what a Gateway’s modes let in. */

import { readFile } from 'node:fs/promises';
import { createServer as createHttps } from 'node:https';
import { createServer } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { type Echo, GatewayProject, publishedAt } from '../../support/gateway-project.ts';
import { createServingPair } from '../../support/serving-certificates.ts';
import { ask, closeAll, dialTls, isNothing, keep, listening, readAll } from './clients.ts';

afterEach(closeAll);

async function startProject(...services: string[]): Promise<GatewayProject> {
  const project = await GatewayProject.create(services.map((service) => ({ service })));
  keep(() => project.close());
  return project;
}

const gatewayOf = (servers: string, name = 'entrance') => `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: ${name} }
spec:
  selector: { istio: ingressgateway }
  servers:
${servers}`;

const routeTo = (host: string, service: string, port: number | undefined, name = service) => `
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name} }
spec:
  hosts: [${host}]
  gateways: [entrance]
  http: [{ route: [{ destination: { host: ${service}, port: { number: ${port} } } }] }]
`;

const secret = (name: string, fields: Record<string, string>) => `
apiVersion: v1
kind: Secret
metadata: { name: ${name}, namespace: istio-system }
type: kubernetes.io/tls
data:
${Object.entries(fields)
  .map(([key, value]) => `  ${key}: ${Buffer.from(value).toString('base64')}`)
  .join('\n')}
`;

describe('TLS of a Gateway', () => {
  it('shows the certificate of a Secret, takes another one at once when it changes, and tells nobody the key', async () => {
    const project = await startProject('httpbin');
    const [first, second] = [
      await createServingPair('httpbin.example.com'),
      await createServingPair('httpbin.example.com'),
    ];
    const toSecret = (pair: typeof first) =>
      secret('httpbin-credential', { 'tls.crt': pair.server.chainPem, 'tls.key': pair.server.keyPem });
    await project.write('secret.yaml', toSecret(first));
    const servers = `  - { port: { number: 8443, name: https, protocol: HTTPS }, hosts: [httpbin.example.com], tls: { mode: SIMPLE, credentialName: httpbin-credential } }\n`;
    await project.write(
      'gateway.yaml',
      gatewayOf(servers) + routeTo('httpbin.example.com', 'httpbin', project.ports.get('httpbin')),
    );
    await project.start();
    const gateway = await project.gateway('istio-ingressgateway');
    expect(gateway.listeners[0]).toMatchObject({
      protocol: 'https',
      certificate: 'project',
      hosts: ['httpbin.example.com'],
    });
    const port = publishedAt(gateway, 8443);
    const asked = (caPem: string) => ask({ port, tls: { servername: 'httpbin.example.com', ca: caPem } });
    const answer = await eventually('the first certificate', () => asked(first.caPem));
    expect((JSON.parse(answer.body) as Echo).headers).toMatchObject({ 'x-forwarded-proto': 'https' });
    await project.write('secret.yaml', toSecret(second));
    await eventually('the second certificate', () => asked(second.caPem));
    await expect(asked(first.caPem)).rejects.toThrow();
    const { client } = project.mesh;
    const exported = await client.call('export.preview', { targets: ['istio'] });
    const told = JSON.stringify([
      exported,
      await client.call('config.get', { kind: null, name: null }),
      project.mesh.log,
    ]);
    expect(told).not.toContain(second.server.keyPem.split('\n')[1] ?? '');
  });

  it('goes on with a certificate whose file is broken, says so, and takes the next good one without a restart', async () => {
    const project = await startProject('httpbin');
    const [first, second] = [await createServingPair('shop.example.com'), await createServingPair('shop.example.com')];
    await project.write('secrets/shop.crt', first.server.chainPem);
    await project.write('secrets/shop.key', first.server.keyPem);
    const servers = `  - { port: { number: 8443, name: https, protocol: HTTPS }, hosts: [shop.example.com], tls: { mode: SIMPLE, credentialName: shop } }\n`;
    const route = routeTo('shop.example.com', 'httpbin', project.ports.get('httpbin'));
    await project.write('gateway.yaml', gatewayOf(servers) + route);
    await project.start();
    const port = publishedAt(await project.gateway('istio-ingressgateway'), 8443);
    const asked = (caPem: string) => ask({ port, tls: { servername: 'shop.example.com', ca: caPem } });
    const said = async () =>
      (await project.mesh.client.call('config.findings', {})).flatMap(({ code, message }) =>
        code === 'BROKEN_CREDENTIAL' ? [message] : [],
      );
    await eventually('the first certificate', () => asked(first.caPem));
    await project.write('secrets/shop.crt', second.server.chainPem);
    const [message] = await eventually('the finding', async () => ((await said()).length > 0 ? await said() : null));
    expect(message).toContain('what was there before is shown');
    expect((await asked(first.caPem)).status).toBe(200);
    await project.write('secrets/shop.key', second.server.keyPem);
    await eventually('the second certificate', () => asked(second.caPem));
    expect(await said()).toEqual([]);
  });

  it('shows a certificate of the mesh where the project has none, and says which root to trust', async () => {
    const project = await startProject('httpbin');
    const servers = `  - { port: { number: 8443, name: https, protocol: HTTPS }, hosts: ["*.example.com"], tls: { mode: SIMPLE, credentialName: nobody-has-it } }\n`;
    await project.write(
      'gateway.yaml',
      gatewayOf(servers) + routeTo('"*.example.com"', 'httpbin', project.ports.get('httpbin')),
    );
    await project.start();
    const gateway = await project.gateway('istio-ingressgateway');
    expect(gateway.listeners[0]?.certificate).toBe('mesh');
    const answer = await eventually('an answer', async () => {
      const ca = await readFile(gateway.rootFile ?? '', 'utf8');
      return ask({ port: publishedAt(gateway, 8443), tls: { servername: 'shop.example.com', ca } });
    });
    expect(answer.status).toBe(200);
    const findings = await project.mesh.client.call('config.findings', {});
    expect(findings.find(({ code }) => code === 'NO_CREDENTIAL')).toMatchObject({ severity: 'info' });
  });

  it('lets in with MUTUAL who has a certificate of the credential’s CA, and nobody else', async () => {
    const project = await startProject('httpbin');
    const pair = await createServingPair('httpbin.example.com');
    await project.write(
      'secret.yaml',
      secret('both', { 'tls.crt': pair.server.chainPem, 'tls.key': pair.server.keyPem, 'ca.crt': pair.caPem }),
    );
    const servers = `  - { port: { number: 8443, name: https, protocol: HTTPS }, hosts: [httpbin.example.com], tls: { mode: MUTUAL, credentialName: both } }\n`;
    await project.write(
      'gateway.yaml',
      gatewayOf(servers) + routeTo('httpbin.example.com', 'httpbin', project.ports.get('httpbin')),
    );
    await project.start();
    const port = publishedAt(await project.gateway('istio-ingressgateway'), 8443);
    const tls = { servername: 'httpbin.example.com', ca: pair.caPem };
    const answer = await eventually('an answer', () => ask({ port, tls: { ...tls, ...pair.client } }));
    expect((JSON.parse(answer.body) as Echo).headers['x-forwarded-client-cert']).toContain('DNS=client.example.com');
    await expect(ask({ port, tls })).rejects.toThrow();
  });

  it('asks clients at a port for a certificate of the CA in a ConfigMap (Gateway API), or for none that has to be valid', async () => {
    const project = await startProject('httpbin');
    const [pair, stranger] = [await createServingPair('httpbin.example.com'), await createServingPair('other')];
    await project.write(
      'secret.yaml',
      secret('shown', { 'tls.crt': pair.server.chainPem, 'tls.key': pair.server.keyPem }).replace(
        'istio-system',
        'default',
      ),
    );
    await project.write(
      'ca.yaml',
      `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: clients }\ndata: { ca.crt: ${JSON.stringify(pair.caPem)} }\n`,
    );
    const validation = (mode: string) =>
      `{ validation: { caCertificateRefs: [{ group: "", kind: ConfigMap, name: clients }], mode: ${mode} } }`;
    const listener = (port: number) =>
      `  - { name: p${port}, port: ${port}, protocol: HTTPS, tls: { certificateRefs: [{ name: shown }] } }`;
    await project.write(
      'gateway.yaml',
      `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: entrance }
spec:
  gatewayClassName: istio
  addresses: [{ type: Hostname, value: istio-ingressgateway.istio-system }]
  tls: { frontend: { default: ${validation('AllowValidOnly')}, perPort: [{ port: 9443, tls: ${validation('AllowInsecureFallback')} }] } }
  listeners:
${listener(8443)}
${listener(9443)}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: httpbin }
spec: { parentRefs: [{ name: entrance }], rules: [{ backendRefs: [{ name: httpbin, port: ${project.ports.get('httpbin')} }] }] }
`,
    );
    await project.start();
    const gateway = await project.gateway('istio-ingressgateway');
    const [strict, lax] = [publishedAt(gateway, 8443), publishedAt(gateway, 9443)];
    const tls = { servername: 'httpbin.example.com', ca: pair.caPem };
    const answer = await eventually('an answer', () => ask({ port: strict, tls: { ...tls, ...pair.client } }));
    expect((JSON.parse(answer.body) as Echo).headers['x-forwarded-client-cert']).toContain('DNS=client.example.com');
    await expect(ask({ port: strict, tls })).rejects.toThrow();
    await expect(ask({ port: strict, tls: { ...tls, ...stranger.client } })).rejects.toThrow();
    expect((await ask({ port: lax, tls })).status).toBe(200);
    expect((await ask({ port: lax, tls: { ...tls, ...stranger.client } })).status).toBe(200);
    expect(
      (await project.mesh.client.call('config.findings', {})).filter(({ severity }) => severity !== 'info'),
    ).toEqual([]);
  });

  it('begins TLS to what a BackendTLSPolicy is attached to, and trusts the CA of its ConfigMap alone', async () => {
    const [pair, other] = [await createServingPair('pay.example.com'), await createServingPair('pay.example.com')];
    const names: string[] = [];
    const server = createHttps({ key: pair.server.keyPem, cert: pair.server.chainPem }, (incoming, response) => {
      names.push((incoming.socket as TLSSocket & { servername?: string }).servername ?? '');
      response.end('paid');
    });
    const target = await listening(server);
    const project = await startProject('httpbin');
    await project.write(
      'pay.yaml',
      `apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: pay }
spec: { address: 127.0.0.1, ports: { http: ${target} }, labels: { app: pay } }
---
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: { name: pay }
spec:
  targetRefs: [{ group: "", kind: Service, name: pay }]
  validation: { hostname: pay.example.com, caCertificateRefs: [{ group: "", kind: ConfigMap, name: pay-ca }] }
`,
    );
    const roots = (pem: string) =>
      `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: pay-ca }\ndata: { ca.crt: ${JSON.stringify(pem)} }\n`;
    await project.write('ca.yaml', roots(pair.caPem));
    const servers = '  - { port: { number: 8080, name: http, protocol: HTTP }, hosts: ["*"] }\n';
    await project.write('gateway.yaml', gatewayOf(servers) + routeTo('"*"', 'pay', target));
    await project.start(2);
    const port = publishedAt(await project.gateway('istio-ingressgateway'), 8080);
    const answer = await eventually('an answer', async () => {
      const got = await ask({ port });
      return got.status === 200 && got;
    });
    expect([answer.body, names.at(-1)]).toEqual(['paid', 'pay.example.com']);
    await project.write('ca.yaml', roots(other.caPem));
    await eventually('another CA is trusted, so the server is not', async () => (await ask({ port })).status === 503);
  });

  it('passes TLS on by server name with PASSTHROUGH, and redirects plaintext to https elsewhere', async () => {
    const pair = await createServingPair('nginx.example.com');
    const server = createTlsServer({ key: pair.server.keyPem, cert: pair.server.chainPem }, (socket) => {
      socket.on('error', () => undefined);
      socket.end('nginx itself');
    });
    const target = await listening(server);
    const project = await startProject('httpbin');
    await project.write(
      'nginx.yaml',
      `apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: nginx }
spec: { address: 127.0.0.1, ports: { tls: ${target} }, labels: { app: nginx } }
`,
    );
    const servers = [
      '  - { port: { number: 8443, name: tls, protocol: TLS }, hosts: [nginx.example.com], tls: { mode: PASSTHROUGH } }',
      '  - { port: { number: 8080, name: http, protocol: HTTP }, hosts: ["*"], tls: { httpsRedirect: true } }',
      '',
    ];
    const passthrough = `
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: nginx }
spec:
  hosts: [nginx.example.com]
  gateways: [entrance]
  tls:
    - match: [{ port: 8443, sniHosts: [nginx.example.com] }]
      route: [{ destination: { host: nginx, port: { number: ${target} } } }]
`;
    await project.write('gateway.yaml', gatewayOf(servers.join('\n')) + passthrough);
    await project.start(2);
    const gateway = await project.gateway('istio-ingressgateway');
    const port = publishedAt(gateway, 8443);
    const socket = dialTls(port, { servername: 'nginx.example.com', ca: pair.caPem });
    expect((await readAll(socket)).toString()).toBe('nginx itself');
    expect(
      await readAll(dialTls(port, { servername: 'else.example.com', ca: pair.caPem })).catch(() => null),
    ).toSatisfy(isNothing);
    const redirected = await ask({
      port: publishedAt(gateway, 8080),
      path: '/a',
      headers: { host: 'shop.example.com' },
    });
    expect([redirected.status, redirected.headers['location']]).toEqual([301, 'https://shop.example.com/a']);
  });

  it('passes TLS on by TLSRoute, the exact name before the wildcard, and ends it for TCPRoutes where it says so', async () => {
    const pair = await createServingPair('*.example.com');
    const targets: number[] = [];
    for (const name of ['exact', 'wide']) {
      const server = createTlsServer({ key: pair.server.keyPem, cert: pair.server.chainPem }, (socket) => {
        socket.on('error', () => undefined);
        socket.end(name);
      });
      targets.push(await listening(server));
    }
    const plain = await listening(createServer((socket) => socket.end('bytes')));
    const workload = (name: string, port: number | undefined) => `---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: ${name} }
spec: { address: 127.0.0.1, ports: { tcp: ${port} }, labels: { app: ${name} } }
`;
    const tlsRoute = (name: string, host: string, port: number | undefined) => `---
apiVersion: gateway.networking.k8s.io/v1alpha2
kind: TLSRoute
metadata: { name: ${name} }
spec: { parentRefs: [{ name: entrance, sectionName: pass }], hostnames: ["${host}"], rules: [{ backendRefs: [{ name: ${name}, port: ${port} }] }] }
`;
    const project = await startProject('httpbin');
    await project.write(
      'w.yaml',
      workload('wide', targets[1]) + workload('exact', targets[0]) + workload('plain', plain),
    );
    await project.write('secrets/own.crt', pair.server.chainPem);
    await project.write('secrets/own.key', pair.server.keyPem);
    await project.write(
      'gateway.yaml',
      `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: entrance }
spec:
  gatewayClassName: istio
  listeners:
    - { name: pass, port: 8443, protocol: TLS, hostname: "*.example.com", tls: { mode: Passthrough } }
    - { name: end, port: 9443, protocol: TLS, tls: { mode: Terminate, certificateRefs: [{ name: own }] } }
${tlsRoute('wide', '*.example.com', targets[1])}${tlsRoute('exact', 'a.example.com', targets[0])}---
apiVersion: gateway.networking.k8s.io/v1alpha2
kind: TCPRoute
metadata: { name: plain }
spec: { parentRefs: [{ name: entrance, sectionName: end }], rules: [{ backendRefs: [{ name: plain, port: ${plain} }] }] }
`,
    );
    await project.start(4);
    const gateway = await project.gateway('entrance-istio');
    const said = async (port: number, servername: string) =>
      (await readAll(dialTls(publishedAt(gateway, port), { servername, ca: pair.caPem }))).toString();
    expect(await said(8443, 'a.example.com')).toBe('exact');
    expect(await said(8443, 'b.example.com')).toBe('wide');
    expect(await eventually('bytes', () => said(9443, 'c.example.com'))).toBe('bytes');
  });
});

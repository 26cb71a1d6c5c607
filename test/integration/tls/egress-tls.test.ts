/**
 * From files of a project to a server outside: an application speaks HTTP, its sidecar makes TLS of it (the egress TLS
 * origination task of Istio's documentation, with a server of this machine), with the certificates of the project.
 */
import { createServer } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { createCsr } from '../../support/create-csr.ts';
import { eventually } from '../../support/eventually.ts';
import { GatewayProject } from '../../support/gateway-project.ts';
import { TestCa } from '../../support/test-ca.ts';
import { ask, closeAll, keep, listening } from '../gateway/clients.ts';

afterEach(closeAll);

const entry = (port: number) => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: edition-cnn-com
spec:
  hosts:
  - edition.cnn.com
  ports:
  - number: 80
    name: http-port
    protocol: HTTP
    targetPort: ${port}
  resolution: STATIC
  endpoints:
  - address: 127.0.0.1
`;
const rule = (tls: string) => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: edition-cnn-com
spec:
  host: edition.cnn.com
  trafficPolicy:
    portLevelSettings:
    - port:
        number: 80
      tls:
${tls
  .split('\n')
  .map((line) => `        ${line}`)
  .join('\n')}
`;

describe('TLS for an application', () => {
  it('is made with the certificates of the project, and follows its files', async () => {
    const ca = await TestCa.create();
    const [server, client] = [await createCsr({ dns: ['edition.cnn.com'] }), await createCsr({ dns: ['sleep.shop'] })];
    const material = { cert: await ca.sign(server.csrPem), key: server.privateKeyPem, ca: ca.rootPem };
    const outside = await listening(
      createServer({ ...material, requestCert: true, rejectUnauthorized: false }, (request, response) => {
        const socket = request.socket as TLSSocket & { servername: string };
        const { subjectaltname = 'nobody' } = socket.getPeerCertificate();
        response.end(`${socket.servername} for ${subjectaltname}`);
      }),
    );
    const project = await GatewayProject.create([{ service: 'sleep' }]);
    keep(() => project.close());
    await project.write('entry.yaml', entry(outside));
    await project.write('rule.yaml', rule('mode: SIMPLE\ncaCertificates: /etc/certs/ca.pem'));
    await project.start();
    const { client: contract } = project.mesh;
    const port = await eventually('the sidecar’s proxy', async () => {
      const workloads = await contract.call('workload.list', {});
      const url = workloads.find(({ name }) => name === 'sleep')?.listeners?.httpProxy;
      return url ? Number(new URL(url).port) : null;
    });
    const get = () =>
      ask({ port, path: 'http://edition.cnn.com/politics', headers: { host: 'edition.cnn.com' } }).then(
        ({ status, body }) => `${status} ${body}`,
      );
    await eventually('the file is missed', async () =>
      (await get()).includes('/etc/certs/ca.pem is not in the project'),
    );
    await project.write('etc/certs/ca.pem', ca.rootPem);
    await eventually('TLS', async () => (await get()) === '200 edition.cnn.com for nobody');
    await project.write('secrets/client.crt', await ca.sign(client.csrPem));
    await project.write('secrets/client.key', client.privateKeyPem);
    await project.write('secrets/client.ca.crt', ca.rootPem);
    await project.write('rule.yaml', rule('mode: MUTUAL\ncredentialName: client'));
    await eventually('TLS with a certificate', async () => (await get()) === '200 edition.cnn.com for DNS:sleep.shop');
    // Nothing of the key is told to those who ask about the mesh.
    const explained = await contract.call('request.explain', {
      from: 'sleep',
      method: 'GET',
      url: 'http://edition.cnn.com/',
    } as never);
    expect(JSON.stringify(explained)).not.toContain('PRIVATE KEY');
  });
});

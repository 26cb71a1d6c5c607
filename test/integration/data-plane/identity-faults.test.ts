/** Faults of identities: what callers see of a sidecar that shows another certificate, and that it goes back by itself. */

import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CertificateAuthority } from '../../../core/control-plane/identity/certificate-authority.ts';
import {
  type IdentityFaultAction,
  issueFaultyCertificate,
} from '../../../core/control-plane/identity/issue-faulty-certificate.ts';
import { meshAlpn } from '../../../core/model/identity.ts';
import type { InjectionConfig } from '../../../core/model/injection-config.ts';
import { eventually } from '../../support/eventually.ts';
import { SidecarPair } from '../../support/sidecar-pair.ts';
import { TestCa } from '../../support/test-ca.ts';
import { emptyConfig, spiffeIdOfName } from '../../support/test-sidecar.ts';

let closers: (() => unknown)[] = [];
let authority: CertificateAuthority;
let applicationPort = 0;
beforeEach(async () => {
  const stateDir = await mkdtemp(join(tmpdir(), 'identity-faults-'));
  closers.push(() => rm(stateDir, { recursive: true, force: true }));
  const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };
  authority = await CertificateAuthority.open({ stateDir, trustDomain: 'cluster.local', protector: null, clock });
});
afterEach(async () => {
  for (const close of closers.reverse()) await close();
  closers = [];
});

const kinds: readonly (readonly [IdentityFaultAction, RegExp])[] = [
  [{ kind: 'identity-expired' }, /certificate has expired/],
  [{ kind: 'identity-wrong-san', spiffeId: 'spiffe://wrong.example/ns/none/sa/none' }, /is spiffe:\/\/wrong\.example/],
  [{ kind: 'identity-unknown-ca' }, /unable to (verify|get)|self.signed/],
];

/** web calls orders; both have certificates of `authority`. */
async function startPair() {
  const server = createServer((_request, response) => response.end('hello'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => server.close());
  applicationPort = (server.address() as AddressInfo).port;
  const pair = await SidecarPair.start(applicationPort);
  closers.push(() => pair.close());
  for (const name of ['web', 'orders'] as const) {
    const spiffeId = spiffeIdOfName(name);
    const { control } = pair[name];
    control.send({ type: 'certificate.request', id: 'of-authority', spiffeId });
    const { csrPem } = await control.next('certificate.csr');
    const { pem } = await authority.issue({ csrPem, spiffeId, commonName: name });
    control.send({
      type: 'certificate.issued',
      id: 'of-authority',
      chainPem: [pem],
      trustBundlePem: [authority.rootPem],
    });
    await control.next('certificate.installed');
  }
  return pair;
}

async function begin(pair: SidecarPair, action: IdentityFaultAction, expiresAtMs: number | null = null) {
  const { control } = pair.orders;
  const spiffeId = spiffeIdOfName('orders');
  const sinceMs = Date.now();
  const injection: InjectionConfig = {
    ...{ id: 'bad-identity', service: 'orders.shop', port: null, route: null, match: [], action, percent: 100 },
    ...{ trigger: { kind: 'always' }, schedule: null, seed: 1, sinceMs, expiresAtMs },
  };
  await configure(pair, [injection], 2);
  control.send({ type: 'certificate.request', id: 'faulty', spiffeId });
  const { csrPem } = await control.next('certificate.csr');
  const chainPem = await issueFaultyCertificate(authority, action, {
    ...{ csrPem, spiffeId, commonName: 'orders', nowMs: sinceMs },
  });
  control.send({ type: 'certificate.faulty', id: 'faulty', fault: injection.id, chainPem: [...chainPem] });
  await control.next('certificate.installed');
}

async function configure(pair: SidecarPair, injections: InjectionConfig[], revision: number) {
  const listen = (port: number) => ({ host: '127.0.0.1', port });
  const inbound = [{ listen: listen(pair.inboundPort), target: listen(applicationPort), port: 8_080 }];
  const answer = await pair.orders.control.push(
    emptyConfig('orders', revision, {
      listeners: { kind: 'explicit', inbound, outbound: [], httpProxy: null },
      inbound: { mtls: 'STRICT', ports: [{ port: 8_080, protocol: 'auto', mtls: 'STRICT' }] },
      injections,
    }),
  );
  expect(answer.type).toBe('ack');
}

function ask(port: number): Promise<{ status: number; flags: string; details: string }> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, agent: false }, (response) => {
      let details = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        details += text;
      });
      const flags = String(response.headers['x-mesh-flags'] ?? response.headers['x-mesh-error'] ?? '');
      response.on('end', () => resolve({ status: response.statusCode ?? 0, flags, details }));
    });
    asked.on('error', reject);
    asked.end();
  });
}

/** Of orders' inbound port, as a caller that trusts the mesh. */
function handshake(port: number): Promise<{ error: string | null; names: string | undefined; validTo: string }> {
  return new Promise((resolve) => {
    const socket = connect({
      ...{ host: '127.0.0.1', port, ca: [authority.rootPem], ALPNProtocols: [meshAlpn.http], minVersion: 'TLSv1.3' },
      ...{ rejectUnauthorized: false, servername: 'orders' },
    });
    const finish = () => {
      const { subjectaltname, valid_to: validTo } = socket.getPeerCertificate();
      const error = socket.authorizationError;
      resolve({ error: error == null ? null : String(error), names: subjectaltname, validTo });
      socket.destroy();
    };
    socket.on('secureConnect', finish).on('error', () => undefined);
  });
}

describe.each(kinds)('%o', (action, reason) => {
  it('makes callers refuse the connection, and is over when it is switched off', async () => {
    const pair = await startPair();
    expect((await ask(pair.outboundPort)).status).toBe(200);
    await begin(pair, action);
    await eventually('a request fails', async () => (await ask(pair.outboundPort)).status === 503);
    const answer = await ask(pair.outboundPort);
    expect(answer.details).toMatch(reason);
    const flags = () => pair.web.control.reports.flatMap(({ samples }) => samples.map(({ flags: seen }) => seen));
    await eventually('the failure to connect is flagged', () => flags().some((seen) => seen.includes('UF')));
    await configure(pair, [], 3);
    await eventually('requests go through', async () => (await ask(pair.outboundPort)).status === 200);
  });
});

it('shows an expired certificate of its own name', async () => {
  const pair = await startPair();
  await begin(pair, { kind: 'identity-expired' });
  const seen = await handshake(pair.inboundPort);
  expect(seen).toMatchObject({ error: 'CERT_HAS_EXPIRED', names: `URI:${spiffeIdOfName('orders')}` });
});

it('shows a valid certificate of another name', async () => {
  const pair = await startPair();
  await begin(pair, { kind: 'identity-wrong-san', spiffeId: 'spiffe://wrong.example/ns/none/sa/none' });
  const seen = await handshake(pair.inboundPort);
  expect(seen).toMatchObject({ error: null, names: 'URI:spiffe://wrong.example/ns/none/sa/none' });
  expect(Date.parse(seen.validTo) - Date.now()).toBeLessThanOrEqual(3_600_000);
});

it('shows a certificate of an authority that nobody knows', async () => {
  const pair = await startPair();
  await begin(pair, { kind: 'identity-unknown-ca' });
  const seen = await handshake(pair.inboundPort);
  expect(seen).toMatchObject({ names: `URI:${spiffeIdOfName('orders')}` });
  expect(seen.error).toMatch(/UNABLE_TO_(VERIFY_LEAF_SIGNATURE|GET_ISSUER_CERT_LOCALLY)/);
});

it('goes back to its own certificate with the end of the fault, and keeps it through everything', async () => {
  const pair = await startPair();
  await begin(pair, { kind: 'identity-expired' }, Date.now() + 6_000);
  await eventually('a request fails', async () => (await ask(pair.outboundPort)).status === 503);
  await eventually('requests go through', async () => (await ask(pair.outboundPort)).status === 200);
  await pair.orders.restart();
  await eventually('after a restart as well', async () => (await ask(pair.outboundPort)).status === 200);
});

it('goes back to its own certificate when the control plane is silent for longer than the lease', async () => {
  const pair = await startPair();
  await pair.orders.reconnect(3_000);
  pair.orders.control.startHeartbeats(200);
  await begin(pair, { kind: 'identity-unknown-ca' });
  await eventually('a request fails', async () => (await ask(pair.outboundPort)).status === 503);
  pair.orders.control.stopHeartbeats();
  await eventually('requests go through', async () => (await ask(pair.outboundPort)).status === 200);
});

it('refuses a certificate for a key that was not asked for', async () => {
  const pair = await startPair();
  const stranger = await TestCa.create();
  const { control } = pair.web;
  control.send({ type: 'certificate.request', id: 'mine', spiffeId: spiffeIdOfName('web') });
  const { csrPem } = await control.next('certificate.csr');
  const chainPem = [await stranger.sign(csrPem)];
  pair.orders.control.send({ type: 'certificate.faulty', id: 'mine', fault: 'x', chainPem });
  expect((await pair.orders.control.next('certificate.failed')).message).toMatch(/no certificate request/);
});

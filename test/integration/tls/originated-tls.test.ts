/** TLS that a destination rule makes callers begin: whom they trust, what they ask for, what they show. */
import { createSecureServer, type Http2SecureServer } from 'node:http2';
import { createServer, type Server } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { UpstreamTlsConfig } from '../../../core/model/traffic-config.ts';
import { createCsr } from '../../support/create-csr.ts';
import { PolicySidecar, startOrigin } from '../../support/policy-sidecar.ts';
import { TestCa } from '../../support/test-ca.ts';

let ca: TestCa;
const files = new Map<string, string>();
const withFiles = () => ({ files: [...files].map(([name, text]) => ({ name, text })) });
let mesh: PolicySidecar;
let closers: (() => unknown)[] = [];

beforeEach(async () => {
  ca = await TestCa.create();
  files.clear();
  files.set('ca.pem', ca.rootPem);
  mesh = await PolicySidecar.start();
  closers = [() => mesh.close()];
});

afterEach(async () => {
  for (const close of closers) await close();
});

async function certificateFor(names: readonly string[], issuer = ca) {
  const { csrPem, privateKeyPem } = await createCsr({ dns: names });
  return { cert: await issuer.sign(csrPem), key: privateKeyPem };
}

/** Answers with the server name that was asked for and, when it asks for one, the client's certificate. */
async function startHttps(names: readonly string[], options: { issuer?: TestCa; asks?: boolean } = {}) {
  const { issuer = ca, asks = false } = options;
  const material = await certificateFor(names, issuer);
  const asking = asks ? { requestCert: true, rejectUnauthorized: true, ca: ca.rootPem } : {};
  const server: Server = createServer({ ...material, ...asking }, (incoming, response) => {
    const socket = incoming.socket as TLSSocket & { servername?: string };
    const { subjectaltname = '' } = asks ? socket.getPeerCertificate() : {};
    response.end(JSON.stringify({ sni: socket.servername, client: subjectaltname, alpn: socket.alpnProtocol }));
  });
  const origin = await startOrigin(server);
  closers.push(() => origin.close());
  return origin.port;
}

async function ask(port: number, tls: UpstreamTlsConfig) {
  await mesh.configure([port], { tls }, {}, withFiles());
  const { status, body } = await mesh.get();
  return status === 200 ? { status, ...(JSON.parse(body) as Record<string, unknown>) } : { status, body };
}

const trusting = (more: Partial<UpstreamTlsConfig> = {}): UpstreamTlsConfig => ({
  names: 'host',
  caFile: 'ca.pem',
  ...more,
});

describe('TLS of a caller, mode SIMPLE', () => {
  it('asks for the host of the service and takes a certificate for it', async () => {
    expect(await ask(await startHttps(['orders']), trusting())).toMatchObject({ status: 200, sni: 'orders' });
  });

  it('asks for the host of the request where it is another, on connections of its own', async () => {
    const port = await startHttps(['orders', 'shop.example.com']);
    await ask(port, trusting());
    const answer = await mesh.get('/', { host: 'shop.example.com' });
    expect([answer.status, answer.body]).toEqual([200, expect.stringContaining('"sni":"shop.example.com"')]);
    expect((await mesh.get('/', { host: 'other.example.com' })).status).toBe(503);
  });

  it('asks for the server name of the rule; then the chain alone decides', async () => {
    const port = await startHttps(['somebody.example.com']);
    expect(await ask(port, trusting({ sni: 'api.example.com', names: 'any' }))).toMatchObject({
      status: 200,
      sni: 'api.example.com',
    });
  });

  it.each<[string, Partial<UpstreamTlsConfig>, string[], RegExp]>([
    ['a certificate for another host', {}, ['payments'], /does not match certificate|altnames/i],
    ['a name that the rule does not list', { names: ['x.example.com'] }, ['orders'], /expected x\.example\.com/],
    ['a file that is not there', { caFile: 'other.pem' }, ['orders'], /other\.pem is not in the project/],
    ['roots that are none', { caFile: 'nothing.pem' }, ['orders'], /of no use|certificate/],
  ])('fails on %s with 503 and the reason', async (_what, more, names, reason) => {
    const answer = await ask(await startHttps(names), trusting(more));
    expect(answer).toMatchObject({ status: 503 });
    expect(String((answer as { body: string }).body)).toMatch(
      /^upstream connect error or disconnect\/reset before headers\. reset reason: remote connection failure, transport failure reason: /,
    );
    expect(String((answer as { body: string }).body)).toMatch(reason);
  });

  it('knows another root from the next configuration on', async () => {
    const port = await startHttps(['orders'], { issuer: await TestCa.create() });
    expect(await ask(port, trusting())).toMatchObject({ status: 503 });
    const other = await TestCa.create();
    const trusted = await startHttps(['orders'], { issuer: other });
    files.set('ca.pem', other.rootPem);
    expect(await ask(trusted, trusting())).toMatchObject({ status: 200 });
  });

  it('takes one of the names that the rule lists', async () => {
    const port = await startHttps(['b.example.com']);
    const answer = await ask(port, trusting({ names: ['a.example.com', 'b.example.com'] }));
    expect(answer).toMatchObject({ status: 200 });
  });

  it.each<[readonly string[], number]>([
    [['orders', 'b.example.com'], 200],
    [['b.example.com'], 503],
    [['orders'], 503],
  ])('takes a certificate for %j with %i where a listed name and the host are asked for', async (names, status) => {
    const answer = await ask(await startHttps(names), trusting({ names: ['b.example.com'], andHost: true }));
    expect(answer).toMatchObject({ status });
  });

  it('trusts the roots of the system when the rule names none, and so not a stranger’s', async () => {
    const answer = await ask(await startHttps(['orders']), { names: 'host' });
    expect(answer).toMatchObject({ status: 503 });
  });

  it('takes anything with insecureSkipVerify', async () => {
    const issuer = await TestCa.create();
    const port = await startHttps(['whoever'], { issuer });
    expect(await ask(port, { names: 'host', insecure: true })).toMatchObject({ status: 200 });
  });

  it('speaks HTTP/2 with ALPN h2 where the port or the policy says so', async () => {
    const material = await certificateFor(['orders']);
    const server: Http2SecureServer = createSecureServer(material, (incoming, response) => {
      response.end(`${incoming.httpVersion} ${(incoming.socket as TLSSocket).alpnProtocol}`);
    });
    const origin = await startOrigin(server);
    closers.push(() => origin.close());
    await mesh.configure([origin.port], { tls: trusting(), httpVersion: 'http/2' }, {}, withFiles());
    expect(await mesh.get()).toMatchObject({ status: 200, body: '2.0 h2' });
  });
});

const shown = { certificateFile: 'c.pem', keyFile: 'k.pem' };

function haveClient({ cert, key }: { cert: string; key: string }): void {
  files.set('c.pem', cert);
  files.set('k.pem', key);
}

describe('TLS of a caller, mode MUTUAL', () => {
  it('shows the certificate of the rule', async () => {
    const port = await startHttps(['orders'], { asks: true });
    haveClient(await certificateFor(['caller.example.com']));
    expect(await ask(port, trusting(shown))).toMatchObject({
      status: 200,
      client: 'DNS:caller.example.com',
    });
  });

  it('is refused with one that the server does not trust, or with none', async () => {
    const port = await startHttps(['orders'], { asks: true });
    haveClient(await certificateFor(['caller'], await TestCa.create()));
    expect(await ask(port, trusting(shown))).toMatchObject({ status: 503 });
    expect(await ask(port, trusting())).toMatchObject({ status: 503 });
  });
});

describe('subsets and ports', () => {
  it('have TLS of their own', async () => {
    const secure = await startHttps(['orders']);
    await mesh.configure(
      [secure],
      {},
      {
        policies: [
          { subset: null, port: null, policy: {} },
          { subset: null, port: 8_080, policy: { tls: trusting() } },
        ],
      },
      withFiles(),
    );
    expect(await mesh.get()).toMatchObject({ status: 200 });
  });
});

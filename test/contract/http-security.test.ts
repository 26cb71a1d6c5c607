/** The doors of the HTTP server: nobody but the user's own browser and scripts gets in, and no page of another site does. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { createApiServer, maxBodyBytes } from '../../core/control-plane/api/api-server.ts';
import { createGatekeeper, type Gatekeeper } from '../../core/control-plane/api/gatekeeper.ts';
import { listenOnLoopback } from '../../core/control-plane/api/listen.ts';
import { createContractFixture } from '../support/contract-fixture.ts';

let port: number;
let gatekeeper: Gatekeeper;
let dir: string;
let close: () => Promise<void>;

beforeEach(async () => {
  const { call, hub, log } = createContractFixture();
  dir = await mkdtemp(join(tmpdir(), 'ui-'));
  await writeFile(join(dir, 'index.html'), '<!doctype html><title>the app</title>');
  let door: Gatekeeper | null = null;
  const api = createApiServer({ call, hub, log, gatekeeper: () => door, staticDir: dir });
  port = await listenOnLoopback(api.server, 0);
  gatekeeper = createGatekeeper(port);
  door = gatekeeper;
  close = async () => {
    await api.close();
    hub.close();
    await rm(dir, { recursive: true });
  };
});
afterEach(() => close());

interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

function send(
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body: string | Buffer = '',
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, method, path, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
    });
    request.on('error', reject);
    request.end(body);
  });
}

const status = JSON.stringify({ method: 'mesh.status', input: {} });
const json = { 'content-type': 'application/json' };
const bearer = () => ({ authorization: `Bearer ${gatekeeper.bearerToken}` });

async function openSession(): Promise<string> {
  const url = new URL(gatekeeper.newAddress());
  const reply = await send('GET', `${url.pathname}${url.search}`);
  expect(reply).toMatchObject({ status: 303, headers: { location: '/' } });
  const cookie = reply.headers['set-cookie']?.[0] ?? '';
  expect(cookie).toMatch(/^meshdesk-\d+=[\w-]{43}; HttpOnly; SameSite=Strict; Path=\/$/);
  return cookie.split(';')[0] ?? '';
}

describe('calls', () => {
  test.each<[string, () => Record<string, string>, number]>([
    ['with the bearer token', () => ({ ...json, ...bearer() }), 200],
    ['without anything', () => json, 401],
    ['with a wrong bearer token', () => ({ ...json, authorization: 'Bearer nonsense' }), 401],
    ['for another host (DNS rebinding)', () => ({ ...json, ...bearer(), host: 'evil.example' }), 421],
    ['for another port of this host', () => ({ ...json, ...bearer(), host: '127.0.0.1:1' }), 421],
    ['from another site', () => ({ ...json, ...bearer(), origin: 'https://evil.example' }), 403],
    ['from a sandboxed page', () => ({ ...json, ...bearer(), origin: 'null' }), 403],
    ['from a page on another port', () => ({ ...json, ...bearer(), origin: 'http://127.0.0.1:1' }), 403],
    ['as a form would send it', () => ({ ...bearer(), 'content-type': 'text/plain' }), 415],
  ])('%s', async (_name, headers, expected) => {
    const reply = await send('POST', '/api/call', headers(), status);
    expect(reply.status).toBe(expected);
    expect(reply.headers['access-control-allow-origin']).toBeUndefined();
    expect(JSON.parse(reply.body)).toHaveProperty('ok', expected === 200);
  });

  test('with a session, only from a page of our own', async () => {
    const cookie = await openSession();
    const origin = `http://127.0.0.1:${port}`;
    expect((await send('POST', '/api/call', { ...json, cookie, origin }, status)).status).toBe(200);
    expect((await send('POST', '/api/call', { ...json, cookie, 'sec-fetch-site': 'same-origin' }, status)).status).toBe(
      200,
    );
    expect((await send('POST', '/api/call', { ...json, cookie }, status)).status).toBe(403);
    expect((await send('POST', '/api/call', { ...json, cookie: `${cookie}x`, origin }, status)).status).toBe(401);
  });

  test('larger than a mebibyte are refused, with and without a length', async () => {
    const big = Buffer.alloc(maxBodyBytes + 1, 32);
    expect((await send('POST', '/api/call', { ...json, ...bearer() }, big)).status).toBe(413);
    const chunked = await send(
      'POST',
      '/api/call',
      { ...json, ...bearer(), 'transfer-encoding': 'chunked' },
      big,
    ).catch((error: NodeJS.ErrnoException) => error);
    expect('status' in chunked ? chunked.status : chunked.code).toSatisfy(
      (value) => value === 413 || value === 'EPIPE' || value === 'ECONNRESET',
    );
  });

  test('that are not JSON, or not a call, are refused', async () => {
    expect((await send('POST', '/api/call', { ...json, ...bearer() }, '{')).status).toBe(400);
    expect((await send('POST', '/api/call', { ...json, ...bearer() }, '{"a":1}')).status).toBe(400);
    expect((await send('GET', '/api/call', bearer())).status).toBe(405);
    expect((await send('GET', '/api/secrets', bearer())).status).toBe(404);
    expect((await send('OPTIONS', '/api/call', { origin: 'https://evil.example' })).status).toBe(403);
  });
});

describe('pages', () => {
  test('an address lets one browser in, once; afterwards a page says what to do', async () => {
    const url = new URL(gatekeeper.newAddress());
    expect((await send('GET', `/${url.search}`)).status).toBe(303);
    const again = await send('GET', `/${url.search}`);
    expect(again.status).toBe(401);
    expect(again.body).toContain('This address was used already');
    expect(again.headers['set-cookie']).toBeUndefined();
    expect((await send('GET', '/')).body).toContain('needs the address that Meshdesk printed');
  });

  test('a browser that is in already may open a used address', async () => {
    const url = new URL(gatekeeper.newAddress());
    const first = await send('GET', `/${url.search}`);
    const cookie = first.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
    expect(await send('GET', `/${url.search}`, { cookie })).toMatchObject({ status: 303, headers: { location: '/' } });
  });

  test('the app comes with a policy that allows no foreign content and no frames', async () => {
    const reply = await send('GET', '/', { cookie: await openSession() });
    expect(reply).toMatchObject({ status: 200, body: expect.stringContaining('the app') });
    const policy = String(reply.headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe-eval|script-src[^;]*unsafe-inline|https?:|\*/);
    expect(reply.headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
    });
  });

  test('nothing outside of the app is served', async () => {
    const cookie = await openSession();
    await writeFile(join(dir, '..', 'outside.json'), '{}');
    for (const path of [
      '/../outside.json',
      '/..%2foutside.json',
      '/%2e%2e/outside.json',
      '/a/../../outside.json',
      '/nothing.js',
      '/%00.js',
      '/%',
    ]) {
      expect((await send('GET', path, { cookie })).status).toBe(404);
    }
    await rm(join(dir, '..', 'outside.json'));
  });
});

describe('events', () => {
  const connect = (headers: Record<string, string>, path = '/api/events') =>
    new Promise<number>((resolve) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers });
      socket.on('open', () => {
        socket.terminate();
        resolve(101);
      });
      socket.on('unexpected-response', (_request, response) => {
        resolve(response.statusCode ?? 0);
        socket.terminate();
      });
      socket.on('error', () => undefined);
    });

  test('need a session or the token, our host and our origin', async () => {
    const cookie = await openSession();
    const origin = `http://127.0.0.1:${port}`;
    expect(await connect({ cookie, origin })).toBe(101);
    expect(await connect(bearer())).toBe(101);
    expect(await connect({ origin })).toBe(401);
    expect(await connect({ cookie, origin: 'https://evil.example' })).toBe(403);
    expect(await connect({ cookie, origin, host: 'evil.example' })).toBe(421);
    expect(await connect({ cookie, origin }, '/api/other')).toBe(404);
  });
});

/**
 * The peers that are written for Node: the proxy one would write with what Node and npm offer. Settings as JSON in PROXY.
 *
 *   node-http   node:http with an Agent, piping both ways
 *   undici      node:http in front, undici's dispatcher behind
 *   http-proxy  the npm package
 *   node-net    no protocol: two sockets piped into each other
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Agent, createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, Agent as TlsAgent, request as tlsRequest } from 'node:https';
import { connect, createServer as createNetServer } from 'node:net';
import { pipeline } from 'node:stream';
import httpProxy from 'http-proxy';
import { Pool } from 'undici';

interface TlsFiles {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

export interface ProxySettings {
  readonly kind: 'node-http' | 'undici' | 'http-proxy' | 'node-net';
  readonly port: number;
  readonly upstream: number;
  readonly insertId: boolean;
  readonly listenTls: TlsFiles | null;
  readonly upstreamTls: TlsFiles | null;
}

const settings = JSON.parse(process.env['PROXY'] ?? '{}') as ProxySettings;
const host = '127.0.0.1';
const ignored = () => undefined;
const hopByHop = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade', 'te']);

const read = ({ ca, certificate, key }: TlsFiles) => ({
  ca: readFileSync(ca),
  cert: readFileSync(certificate),
  key: readFileSync(key),
  minVersion: 'TLSv1.3' as const,
});
/** The certificates carry a SPIFFE ID and no host name. */
const toClientTls = (files: TlsFiles) => ({ ...read(files), checkServerIdentity: ignored });

/** End-to-end fields as `[name, value, ...]`. */
function passedOn(raw: readonly string[]): string[] {
  const fields: string[] = [];
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] ?? '';
    if (!hopByHop.has(name.toLowerCase())) fields.push(name, raw[at + 1] ?? '');
  }
  return fields;
}

function requestFields(incoming: IncomingMessage): string[] {
  const fields = passedOn(incoming.rawHeaders);
  if (settings.insertId) fields.push('x-request-id', randomUUID());
  return fields;
}

function fail(response: ServerResponse): void {
  if (!response.headersSent) response.writeHead(502);
  response.end();
}

type Handler = (incoming: IncomingMessage, response: ServerResponse) => void;

function nodeHttpHandler(): Handler {
  const options = { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY, noDelay: true };
  const { upstreamTls } = settings;
  const agent = upstreamTls === null ? new Agent(options) : new TlsAgent({ ...options, ...toClientTls(upstreamTls) });
  const send = upstreamTls === null ? request : tlsRequest;
  return (incoming, response) => {
    const { method, url } = incoming;
    const headers = requestFields(incoming);
    const outgoing = send({ host, port: settings.upstream, agent, method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, passedOn(answer.rawHeaders));
      answer.pipe(response);
    });
    outgoing.on('error', () => fail(response));
    incoming.pipe(outgoing);
    response.on('close', () => {
      if (!response.writableFinished) outgoing.destroy();
    });
  };
}

function undiciHandler(): Handler {
  const { upstreamTls, upstream } = settings;
  const origin = `${upstreamTls === null ? 'http' : 'https'}://${host}:${upstream}`;
  const pool = new Pool(origin, upstreamTls === null ? {} : { connect: toClientTls(upstreamTls) });
  return (incoming, response) => {
    const hasBody = incoming.headers['content-length'] !== undefined || 'transfer-encoding' in incoming.headers;
    pool.stream(
      {
        path: incoming.url ?? '/',
        method: incoming.method ?? 'GET',
        headers: requestFields(incoming),
        body: hasBody ? incoming : null,
        responseHeaders: 'raw',
      },
      ({ statusCode, headers }) => {
        response.writeHead(statusCode, passedOn(headers as unknown as string[]));
        return response;
      },
      (error) => {
        if (error !== null) fail(response);
      },
    );
  };
}

function httpProxyHandler(): Handler {
  const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY, noDelay: true });
  const proxy = httpProxy.createProxyServer({ target: `http://${host}:${settings.upstream}`, agent });
  proxy.on('proxyReq', (outgoing) => outgoing.setHeader('x-request-id', randomUUID()));
  proxy.on('error', (_error, _incoming, response) => fail(response as ServerResponse));
  return (incoming, response) => proxy.web(incoming, response);
}

function createHttpServer(handler: Handler): Server {
  const { listenTls } = settings;
  const server =
    listenTls === null
      ? createServer({ noDelay: true }, handler)
      : createTlsServer({ ...read(listenTls), requestCert: true, rejectUnauthorized: true, noDelay: true }, handler);
  server.keepAliveTimeout = 600_000;
  return server;
}

function createNetProxy() {
  return createNetServer({ noDelay: true, allowHalfOpen: true }, (client) => {
    const upstream = connect({ host, port: settings.upstream, noDelay: true, allowHalfOpen: true });
    pipeline(client, upstream, ignored);
    pipeline(upstream, client, ignored);
  });
}

const handlers = { 'node-http': nodeHttpHandler, undici: undiciHandler, 'http-proxy': httpProxyHandler };
const server = settings.kind === 'node-net' ? createNetProxy() : createHttpServer(handlers[settings.kind]());
server.listen({ host, port: settings.port, backlog: 4_096 });
process.stdin.resume().on('end', () => process.exit(0));

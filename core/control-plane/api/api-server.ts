/**
 * The contract over HTTP and WebSocket: `POST /api/call` takes one call, `/api/events` tells events. The same server is
 * used twice: on 127.0.0.1 for browsers and scripts, with a gatekeeper; on the project's control socket for the CLI,
 * where the file's mode (0600, in a folder of mode 0700) says who may connect.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { CallRequest, type CallResponse } from '../../contract/contract.ts';
import { type Dispatch, toErrorResponse } from '../../contract/dispatch.ts';
import { MeshError } from '../../contract/errors.ts';
import type { Logger } from '../../shared/logger.ts';
import { type EventHub, isPicture, type MeshEvent } from './event-hub.ts';
import type { Gatekeeper, Verdict } from './gatekeeper.ts';
import { toNoticePage } from './notice-page.ts';
import { RepeatedCalls } from './repeated-calls.ts';
import { readStaticFile } from './static-files.ts';

export const maxBodyBytes = 1024 * 1024;
/** A listener that is this far behind misses pictures; the next one makes up for it. */
const slowListenerBytes = 4 * 1024 * 1024;
const lostListenerBytes = 64 * 1024 * 1024;

export interface ApiServerOptions {
  readonly call: Dispatch;
  readonly hub: EventHub;
  readonly log: Logger;
  /** `null`: everybody who can connect may call (control socket). A function: its answer decides; `null`: nobody yet. */
  readonly gatekeeper: (() => Gatekeeper | null) | null;
  /** The built UI; `null`: none is served. */
  readonly staticDir: string | null;
}

const securityHeaders = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "font-src 'self' data:",
    "connect-src 'self'",
    "worker-src 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), microphone=(), geolocation=(), clipboard-read=()',
};

function respond(
  response: ServerResponse,
  status: number,
  contentType: string,
  body: string | Buffer,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, {
    ...securityHeaders,
    'cache-control': 'no-store',
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
    ...headers,
  });
  response.end(body);
}

function respondJson(response: ServerResponse, status: number, body: CallResponse): void {
  respond(response, status, 'application/json; charset=utf-8', JSON.stringify(body));
}

function refuseCall(response: ServerResponse, status: number, message: string): void {
  const code = status === 401 || status === 403 || status === 421 ? 'UNAUTHORIZED' : 'BAD_REQUEST';
  respondJson(response, status, toErrorResponse(new MeshError(code, message)));
}

/** The whole body as text; `null` when it is larger than allowed. */
async function readBody(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += (chunk as Buffer).length;
    if (size > maxBodyBytes) return null;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function serveCall(
  options: ApiServerOptions,
  repeated: RepeatedCalls,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method !== 'POST') return refuseCall(response, 405, 'calls are made with POST');
  if (!/^application\/json\b/i.test(request.headers['content-type'] ?? ''))
    return refuseCall(response, 415, 'calls are application/json');
  const tooLarge = () => {
    response.setHeader('connection', 'close');
    refuseCall(response, 413, `a call has at most ${maxBodyBytes} bytes`);
  };
  if (Number(request.headers['content-length'] ?? 0) > maxBodyBytes) return tooLarge();
  const body = await readBody(request);
  if (body === null) return tooLarge();
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return refuseCall(response, 400, 'the body is not JSON');
  }
  const parsed = CallRequest.safeParse(value);
  if (!parsed.success) return refuseCall(response, 400, 'the body is not {"method": ..., "input": ...}');
  const { method, input } = parsed.data;
  const id = request.headers['x-call-id'];
  const answer = await repeated.answer(typeof id === 'string' ? id : undefined, () => options.call(method, input));
  respondJson(response, 200, answer);
}

const everybody: Pick<Gatekeeper, 'checkOrigin' | 'checkIdentity' | 'openSession'> = {
  checkOrigin: () => ({ ok: true }),
  checkIdentity: () => ({ ok: true }),
  openSession: () => null,
};
const notReady: Verdict = { ok: false, status: 403, why: 'the server is not ready' };
const nobody: typeof everybody = {
  checkOrigin: () => notReady,
  checkIdentity: () => notReady,
  openSession: () => null,
};

function doorOf({ gatekeeper }: ApiServerOptions): typeof everybody {
  return gatekeeper === null ? everybody : (gatekeeper() ?? nobody);
}

async function servePage(
  options: ApiServerOptions,
  door: typeof everybody,
  url: URL,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return refuseCall(response, 405, 'pages are read with GET');
  const token = url.searchParams.get('token');
  if (token !== null) {
    const cookie = door.openSession(token);
    if (cookie !== null) return respond(response, 303, 'text/plain', '', { location: '/', 'set-cookie': cookie });
  }
  const verdict = door.checkIdentity(request);
  if (!verdict.ok)
    return respond(
      response,
      verdict.status,
      'text/html; charset=utf-8',
      toNoticePage(token === null ? 'no-session' : 'token-used'),
    );
  if (token !== null) return respond(response, 303, 'text/plain', '', { location: '/' });
  const file = options.staticDir === null ? null : await readStaticFile(options.staticDir, url.pathname);
  if (file === null) return respond(response, 404, 'text/html; charset=utf-8', toNoticePage('not-found'));
  respond(
    response,
    200,
    file.contentType,
    file.body,
    file.immutable ? { 'cache-control': 'private, max-age=31536000, immutable' } : {},
  );
}

async function serve(
  options: ApiServerOptions,
  repeated: RepeatedCalls,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const door = doorOf(options);
  const origin = door.checkOrigin(request);
  if (!origin.ok) return refuseCall(response, origin.status, origin.why);
  const url = new URL(request.url ?? '/', 'http://meshdesk');
  if (!url.pathname.startsWith('/api/')) return servePage(options, door, url, request, response);
  const identity = door.checkIdentity(request);
  if (!identity.ok) return refuseCall(response, identity.status, identity.why);
  if (url.pathname === '/api/call') return serveCall(options, repeated, request, response);
  return refuseCall(response, 404, `there is no ${url.pathname}`);
}

function tellEvents(hub: EventHub, socket: WebSocket): void {
  const stop = hub.listen((event: MeshEvent) => {
    if (socket.bufferedAmount > lostListenerBytes) return socket.terminate();
    if (socket.bufferedAmount > slowListenerBytes && isPicture(event.name)) return;
    socket.send(JSON.stringify(event));
  });
  socket.on('close', stop);
  socket.on('error', () => socket.terminate());
}

/** Builds the server; the caller makes it listen. `close()` ends every connection. */
export function createApiServer(options: ApiServerOptions): { readonly server: Server; close(): Promise<void> } {
  const repeated = new RepeatedCalls();
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: 64 * 1024 });
  const server = createServer(
    { keepAliveTimeout: 60_000, requestTimeout: 300_000, maxHeaderSize: 16 * 1024 },
    (request, response) => {
      serve(options, repeated, request, response).catch((error: unknown) => {
        options.log.error(`${request.method} ${request.url?.split('?')[0]} failed`, error);
        if (response.headersSent) response.destroy();
        else respondJson(response, 500, toErrorResponse(error));
      });
    },
  );
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const door = doorOf(options);
    const refused = [door.checkOrigin(request), door.checkIdentity(request)].find((verdict) => !verdict.ok);
    const status = refused?.ok === false ? refused.status : request.url === '/api/events' ? null : 404;
    socket.on('error', () => socket.destroy());
    if (status !== null) {
      socket.end(`HTTP/1.1 ${status} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) => tellEvents(options.hub, webSocket));
  });
  return {
    server,
    close: async () => {
      for (const socket of sockets.clients) socket.close(1001, 'the control plane ends');
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      const timer = setTimeout(() => {
        for (const socket of sockets.clients) socket.terminate();
        server.closeAllConnections();
      }, 500);
      await closed;
      clearTimeout(timer);
    },
  };
}

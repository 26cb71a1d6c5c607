// A service of every kind, for tests of what lies between it and its clients:
//   8080 HTTP: /hello /slow?ms= /bytes/N (a stream that never repeats) /digest/ID /upload /open, WebSocket /echo and /ticks
//   9090 gRPC   7000 TCP echo   7001 to 7003 TCP, a line every 50 ms for 5, 15 and 90 s, the server speaks first
// /open says how many operations of each kind are in progress, so that a test sees what is left when a client is gone.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { WebSocketServer } from 'ws';
import { serveGrpc } from './grpc-service.mjs';
import { createKeystream } from './keystream.mjs';

const open = { request: 0, download: 0, upload: 0, websocket: 0, tcp: 0, grpc: 0 };
const digests = new Map();

/** Counts an operation until the returned function is called, once or more often. */
function begin(kind) {
  open[kind] += 1;
  let ended = false;
  return () => {
    if (!ended) open[kind] -= 1;
    ended = true;
  };
}

async function download(response, size, url) {
  const hash = createHash('sha256');
  const [id, everyMs] = [url.searchParams.get('id'), Number(url.searchParams.get('everyMs') ?? 0)];
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': size });
  for (const chunk of createKeystream(size)) {
    if (response.destroyed) return;
    if (id !== null) hash.update(chunk);
    if (!response.write(chunk)) await Promise.race([once(response, 'drain'), once(response, 'close')]);
    if (everyMs > 0) await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
  if (id !== null) digests.set(id, hash.digest('hex'));
  response.end();
}

async function upload(request, response) {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of request) {
    hash.update(chunk);
    size += chunk.length;
  }
  response.end(`${size} ${hash.digest('hex')}\n`);
}

const server = http.createServer({ requestTimeout: 0 }, async (request, response) => {
  const url = new URL(request.url, 'http://server');
  const [, name, argument] = url.pathname.split('/');
  if (name === 'open') {
    response.end(JSON.stringify(open));
    return;
  }
  const end = begin(name === 'bytes' ? 'download' : name === 'upload' ? 'upload' : 'request');
  response.on('close', end);
  try {
    if (name === 'bytes') await download(response, Number(argument), url);
    else if (name === 'upload') await upload(request, response);
    else if (name === 'digest') response.end(digests.get(argument) ?? '');
    else {
      const waitMs = Number(url.searchParams.get('ms') ?? 0);
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      response.end(`${name}\n`);
    }
  } catch (error) {
    response.destroy(error);
  }
});

const sockets = new WebSocketServer({ server });
sockets.on('connection', (socket, request) => {
  socket.on('close', begin('websocket'));
  socket.on('error', () => socket.terminate());
  if (request.url.startsWith('/ticks')) {
    const [, count] = request.url.split('=');
    let sent = 0;
    const timer = setInterval(() => {
      sent += 1;
      socket.send(String(sent));
      if (sent === Number(count)) socket.close(1000, 'done');
    }, 50);
    socket.on('close', () => clearInterval(timer));
    return;
  }
  socket.on('message', (data, isBinary) => {
    if (!isBinary && String(data).startsWith('close ')) socket.close(Number(String(data).slice(6)), 'as asked');
    else socket.send(data, { binary: isBinary });
  });
});

const echo = net.createServer({ allowHalfOpen: true }, (socket) => {
  socket.on('close', begin('tcp')).on('error', () => socket.destroy());
  socket.pipe(socket);
});
const ticker = (lines) =>
  net.createServer((socket) => {
    let sent = 0;
    const timer = setInterval(() => {
      sent += 1;
      socket.write(`tick ${sent}\n`);
      if (sent === lines) socket.end('done\n');
    }, 50);
    socket.on('close', begin('tcp')).on('close', () => clearInterval(timer));
    socket.on('error', () => socket.destroy());
    socket.resume();
  });

await serveGrpc(9090, begin);
echo.listen(7000, '0.0.0.0');
ticker(100).listen(7001, '0.0.0.0');
ticker(300).listen(7002, '0.0.0.0');
ticker(1_800).listen(7003, '0.0.0.0');
server.listen({ port: 8080, host: '0.0.0.0', backlog: 4_096 }, () => process.stdout.write('ready\n'));

/**
 * The programs of the test shop's containers, as text for `node -e`. Plain node:http and node:net: what a user's services
 * are made of. Upstream addresses come from the environment.
 */

/** Answers every request with its name and version; calls UPSTREAMS (space-separated URLs) first, one after another. */
export const httpService = `
const http = require('node:http');
const net = require('node:net');
const agent = new http.Agent({ keepAlive: true, maxSockets: 32 });
const { NAME, VERSION = '', UPSTREAMS = '', REDIS = '' } = process.env;
const get = (url, headers) => new Promise((resolve, reject) => {
  const request = http.get(url, { agent, headers }, (response) => {
    let body = '';
    response.setEncoding('utf8').on('data', (text) => { body += text; });
    response.on('end', () => resolve({ status: response.statusCode, body }));
    response.on('error', reject);
  });
  request.on('error', reject);
});
let redis = null;
const waiting = [];
const openRedis = () => {
  const [host, port] = REDIS.split(':');
  redis = net.connect(Number(port), host);
  redis.setNoDelay(true);
  redis.on('data', (data) => { for (const line of data.toString().split('\\r\\n')) if (line) waiting.shift()?.resolve(line); });
  redis.on('error', () => undefined);
  redis.on('close', () => { redis = null; for (const w of waiting.splice(0)) w.reject(new Error('redis closed')); });
};
const count = () => new Promise((resolve, reject) => {
  if (redis === null) openRedis();
  waiting.push({ resolve, reject });
  redis.write('INCR orders\\r\\n');
});
const server = http.createServer({ keepAliveTimeout: 60000 }, async (request, response) => {
  try {
    const headers = {};
    for (const name of ['x-user', 'x-request-id']) if (request.headers[name]) headers[name] = request.headers[name];
    const parts = [NAME + VERSION];
    for (const url of UPSTREAMS.split(' ').filter(Boolean)) {
      const answer = await get(url, headers);
      parts.push(answer.body);
      if (answer.status >= 500) { response.writeHead(answer.status, { 'content-type': 'text/plain' }); response.end(parts.join(' > ')); return; }
    }
    if (REDIS) parts.push('redis' + (await count()).replace(/\\d+/, 'N'));
    response.writeHead(200, { 'content-type': 'text/plain' });
    response.end(parts.join(' > '));
  } catch (error) {
    response.writeHead(500, { 'content-type': 'text/plain', 'x-service-error': String(error.code || error.message) });
    response.end(NAME + ' failed: ' + error.message);
  }
}).listen(8080, '0.0.0.0');
// Connections that were open before attach pass the mesh by until they close, so they have to close now and then.
server.maxRequestsPerSocket = 50;
process.on('SIGTERM', () => process.exit(0));
`;

/** Calls URL at RATE per second over keep-alive connections for ever; prints its totals as a JSON line every 250 ms. */
export const loadGenerator = `
const http = require('node:http');
const { URL: url, RATE = '200', KEEP = '1' } = process.env;
const agent = KEEP === '1' ? new http.Agent({ keepAlive: true, maxSockets: 16 }) : false;
const totals = { sent: 0, ok: 0, failed: 0, statuses: {}, errors: {}, versions: {} };
const fail = (why) => { totals.failed += 1; totals.errors[why] = (totals.errors[why] || 0) + 1; };
const once = () => {
  totals.sent += 1;
  http.get(url, { agent }, (response) => {
    let body = '';
    response.setEncoding('utf8').on('data', (text) => { body += text; });
    response.on('end', () => {
      totals.statuses[response.statusCode] = (totals.statuses[response.statusCode] || 0) + 1;
      const version = /payments(v\\d)/.exec(body)?.[1];
      if (version) totals.versions[version] = (totals.versions[version] || 0) + 1;
      if (response.statusCode === 200) totals.ok += 1; else fail('status ' + response.statusCode + ' ' + body.slice(0, 120));
    });
    response.on('error', (error) => fail('response ' + error.code));
  }).on('error', (error) => fail(error.code || error.message));
};
const start = performance.now();
let due = 0;
setInterval(() => { const now = performance.now() - start; while (due <= now) { once(); due += 1000 / Number(RATE); } }, 2);
setInterval(() => console.log(JSON.stringify(totals)), 250);
process.on('SIGTERM', () => process.exit(0));
`;

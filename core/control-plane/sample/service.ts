/**
 * One service of the sample shop, as a program of its own: `node service.mjs <role>`, configuration in
 * `MESHDESK_SAMPLE_SERVICE` (JSON). It knows nothing of the mesh but two addresses per service that it calls. It ends
 * when its stdin closes, that is, with the control plane that started it.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createLedgerServer, LedgerClient } from './ledger.ts';
import { nextVisit, type RoleContext, roles } from './roles.ts';
import type { SampleServiceConfig } from './shop-plan.ts';
import { HttpUpstream } from './upstream.ts';

/** Visits per second; a visit makes three to four requests in all. */
const visitsPerSecond = 12;
const say = (line: string) => process.stdout.write(`${line}\n`);

const config = JSON.parse(process.env.MESHDESK_SAMPLE_SERVICE ?? '{}') as SampleServiceConfig;
const http = new Map<string, HttpUpstream>();
let ledger: LedgerClient | null = null;
for (const upstream of config.upstreams) {
  if (upstream.name === 'ledger') ledger = new LedgerClient(upstream);
  else http.set(upstream.name, new HttpUpstream(upstream));
}
const context: RoleContext = {
  version: config.version,
  random: Math.random,
  ledger,
  upstream(name) {
    const upstream = http.get(name);
    if (upstream === undefined) throw new Error(`${config.role} has no address of ${name}`);
    return upstream;
  },
};

function answer(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  request.resume();
  try {
    const role = roles[config.role];
    if (role === undefined) throw new Error(`there is no role ${config.role}`);
    const { status, body } = await role(request.method ?? 'GET', new URL(request.url ?? '/', 'http://shop'), context);
    answer(response, status, body);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    say(`${request.method} ${request.url} failed: ${message}`);
    answer(response, 502, `${JSON.stringify({ error: message })}\n`);
  }
}

/** Visits come at random moments (exponential gaps), whether or not the shop keeps up. */
function startShoppers(): void {
  const shop = context.upstream('web');
  let failed = 0;
  const visit = () => {
    setTimeout(visit, (-Math.log(1 - Math.random()) * 1_000) / visitsPerSecond);
    const { method, path } = nextVisit(Math.random);
    shop.call(method, path).catch((error: Error) => {
      failed += 1;
      say(`${method} ${path} got no answer (${failed} so far): ${error.message}`);
    });
  };
  visit();
  say('ready');
}

function start(): void {
  if (config.role === 'shoppers') {
    startShoppers();
    return;
  }
  const server = config.role === 'ledger' ? createLedgerServer() : createServer({ keepAliveTimeout: 30_000 }, serve);
  server.on('error', (error) => {
    say(`cannot listen on 127.0.0.1:${config.port}: ${error.message}`);
    process.exit(1);
  });
  server.listen(config.port ?? 0, '127.0.0.1', () => say('ready'));
}

process.stdin.resume();
process.stdin.on('close', () => process.exit(0));
process.on('SIGTERM', () => process.exit(0));
start();

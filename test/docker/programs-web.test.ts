/** nginx, curl, WebSockets and gRPC through the sidecars of both ends. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { postgresDir } from '../support/docker-program-image.ts';
import { eventually } from '../support/eventually.ts';
import { ProgramMesh } from '../support/program-mesh.ts';

const scale = Number(process.env['MESHDESK_TEST_SCALE'] ?? 1);

const page = Array.from({ length: 20_000 }, (_, line) => `line ${line} of a page\n`).join('');
const pageDigest = createHash('sha256').update(page).digest('hex');
const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path /tmp/${name};`);
const nginxConfig = `
daemon off;
user nginx;
pid /tmp/nginx.pid;
worker_processes 1;
events { worker_connections 1024; }
http {
  ${temporary.join('\n  ')}
  access_log off;
  keepalive_requests 100000;
  types { text/html html; }
  gzip on;
  gzip_types text/html;
  gzip_min_length 100;
  gzip_proxied any;
  server {
    listen 80 default_server;
    root /app/www;
    location /status/ { return 404 "nothing here\\n"; }
    location /moved { return 301 /page.html; }
    location /count { return 200 "$connection_requests\\n"; }
  }
  server { listen 81 http2; root /app/www; }
  server {
    listen 443 ssl http2;
    ssl_certificate /app/cert.pem;
    ssl_certificate_key /app/key.pem;
    root /app/www;
  }
}
`;

/** A certificate of the application's own: nothing that the mesh has issued. */
function createCertificate(): { cert: string; key: string } {
  const dir = mkdtempSync(join(tmpdir(), 'programs-'));
  const [cert, key] = [join(dir, 'cert.pem'), join(dir, 'key.pem')];
  try {
    const subject = ['-subj', '/CN=nginx', '-addext', 'subjectAltName=DNS:nginx', '-days', '1', '-nodes'];
    const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-keyout', key];
    execFileSync('openssl', ['req', '-x509', ...newKey, ...subject, '-out', cert], { stdio: 'ignore' });
    return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

describe.skipIf(postgresDir === null)('web programs behind two sidecars', () => {
  const mesh = new ProgramMesh(['server', 'nginx']);
  const { shop } = mesh;
  const inClient = (line: string) => shop.shell('client', line);
  const outcomeOf = async (...operation: readonly (string | number)[]) =>
    await (await shop.operate(...operation)).outcome(200_000);

  beforeAll(async () => {
    const { cert, key } = createCertificate();
    await mesh.start({
      nginxFiles: {
        '/app/nginx.conf': nginxConfig,
        '/app/www/page.html': page,
        '/app/www/index.html': 'home\n',
        '/app/cert.pem': cert,
        '/app/key.pem': key,
      },
    });
    await inClient(`cat > /tmp/ca.pem <<'END'\n${cert}END`);
  });
  afterAll(() => mesh.close());

  it('serves static files from nginx over mutual TLS', async () => {
    expect(await inClient('curl -sf http://nginx/')).toBe('home');
    expect(await inClient('curl -sf http://nginx/page.html | sha256sum')).toContain(pageDigest);
    expect((await shop.securedEdge(mesh.client, 'nginx')).protocol).toBe('http');
  });

  it('answers ranges, compressed bodies, conditions, errors and redirects as nginx does', async () => {
    const status = (options: string) => inClient(`curl -s -o /dev/null -w '%{http_code} %{size_download}' ${options}`);
    expect(await inClient('curl -sf -r 6-9 http://nginx/page.html')).toBe(page.slice(6, 10).trim());
    expect(await status('-r 100-199 http://nginx/page.html')).toBe('206 100');
    expect(await status('-r 99999999- http://nginx/page.html')).toMatch(/^416 /);
    expect(await inClient('curl -sf --compressed http://nginx/page.html | sha256sum')).toContain(pageDigest);
    const [, compressed] = (await status('-H "Accept-Encoding: gzip" http://nginx/page.html')).split(' ');
    expect(Number(compressed)).toBeLessThan(page.length / 2);
    expect(await status('http://nginx/status/x')).toBe('404 13');
    expect(await status('http://nginx/moved')).toMatch(/^301 /);
    expect(await inClient('curl -sfL http://nginx/moved | sha256sum')).toContain(pageDigest);
    const headers = await inClient('curl -sfI http://nginx/page.html');
    expect(headers).toMatch(new RegExp(`content-length: ${page.length}`, 'i'));
    const tag = /etag: (\S+)/i.exec(headers)?.[1] ?? '';
    expect(await status(`-H 'If-None-Match: ${tag}' http://nginx/page.html`)).toBe('304 0');
  });

  it('keeps a client’s connection open over many requests', async () => {
    const urls = Array.from({ length: 50 }, () => 'http://nginx/index.html').join(' ');
    const counts = await inClient(
      `curl -s -w '%{num_connects} %{http_code}\\n' -o /dev/null ${urls.replaceAll(' ', ' -o /dev/null ')}`,
    );
    const lines = counts.split('\n');
    expect(lines).toHaveLength(50);
    expect(lines.filter((line) => line === '0 200')).toHaveLength(49);
  });

  it('uploads with curl, announced and chunked, and after 100 Continue', async () => {
    const digest = createHash('sha256').update('v'.repeat(3_000_000)).digest('hex');
    const value = `node -e 'process.stdout.write("v".repeat(3000000))'`;
    expect(await inClient(`${value} | curl -sf -T - http://server:8080/upload`)).toBe(`3000000 ${digest}`);
    await inClient(`${value} > /tmp/value`);
    expect(await inClient('curl -sf -T /tmp/value http://server:8080/upload')).toBe(`3000000 ${digest}`);
    expect(
      await inClient('curl -sf -H "Expect: 100-continue" --data-binary @/tmp/value http://server:8080/upload'),
    ).toBe(`3000000 ${digest}`);
    expect(await inClient('curl -sf -0 --data-binary @/tmp/value http://server:8080/upload')).toBe(`3000000 ${digest}`);
  });

  it('answers HTTP/2 with prior knowledge, many streams on a connection', async () => {
    // One request per curl: the one of Debian 12 fails by itself when it uses such a connection again.
    const options = `--http2-prior-knowledge -sf -w '%{http_version} %{http_code}\\n' -o /tmp/h2`;
    const printed = await inClient(`curl ${options} http://nginx:81/page.html && sha256sum /tmp/h2`);
    expect(printed).toMatch(new RegExp(`^2 200\n${pageDigest}`));
    const load = await inClient('h2load -n 400 -c 4 -m 40 http://nginx:81/page.html');
    expect(load).toContain('400 succeeded, 0 failed, 0 errored, 0 timeout');
    expect(load).toContain('400 2xx');
    expect(load).toMatch(new RegExp(`\\(${400 * page.length}\\) data`));
  });

  it('passes the application’s own TLS through untouched, with HTTP/1.1 and HTTP/2', async () => {
    for (const [version, option] of [
      ['1.1', '--http1.1'],
      ['2', '--http2'],
    ]) {
      const printed = await inClient(
        `curl -sf ${option} --cacert /tmp/ca.pem -w '%{http_version} %{ssl_verify_result}\\n' -o /tmp/tls https://nginx/page.html && sha256sum /tmp/tls`,
      );
      expect(printed).toMatch(new RegExp(`^${version} 0\\n${pageDigest}`));
    }
  });

  it('carries WebSockets: sizes, fragments, pings and close codes', async () => {
    expect(await outcomeOf('websocket-echo', 'server')).toMatchObject({
      outcome: 'complete',
      sizes: 7,
      joined: 'together',
      pong: 'here',
      code: 4001,
      reason: 'as asked',
    });
  });

  it('carries many WebSockets at once and lets all of them go', async () => {
    const count = Math.round(1_000 * scale);
    const before = await shop.sidecarFigures('server');
    expect(await outcomeOf('websocket-many', 'server', count)).toMatchObject({
      outcome: 'complete',
      right: count,
      codes: [1_000],
    });
    await eventually(
      'their connections are gone',
      async () => (await shop.sidecarFigures('server')).connections <= before.connections + 2,
    );
    expect((await shop.securedEdge(mesh.client, 'server')).mtls).toBe('closed');
  });

  it('carries every kind of gRPC call, with status, metadata, deadline and cancellation', async () => {
    expect(await outcomeOf('grpc-calls', 'server')).toMatchObject({
      outcome: 'complete',
      echo: 'hello',
      trailer: 'sent',
      large: 3_000_000,
      failed: [9, 'as asked'],
      ticks: [1, 2, 3, 4, 5],
      sum: { sum: 500_500, count: 1_000 },
      chatted: [0, 1, 2, 3, 4],
      deadline: 4,
      cancelled: 1,
    });
  });

  it('returns TCP bytes in order and passes half-close on', async () => {
    expect(await outcomeOf('tcp-echo', 'server', 20_000_000)).toMatchObject({ outcome: 'complete' });
    expect(await outcomeOf('tcp', 'server')).toMatchObject({ outcome: 'complete', lines: 101 });
  });

  it('loses no request, stream or message while both ends are detached and attached again', async () => {
    const [websocket, grpc] = [
      await shop.operate('websocket', 'server', 200),
      await shop.operate('grpc', 'server', 200),
    ];
    const download = await shop.operate('download', 'server', 20_000_000, 25);
    const loop = `for n in $(node -e 'for(let n=0;n<400;n++)console.log(n)'); do curl -sf http://server:8080/hello || exit 1; done`;
    const requests = await shop.beginIn('client', ['sh', '-c', loop]);
    for (const operation of [websocket, grpc, download]) await operation.begun();
    await mesh.detach(30_000, 'client', 'server');
    await mesh.attach('client', 'server');
    for (const operation of [websocket, grpc, download])
      expect(await operation.outcome()).toMatchObject({ outcome: 'complete' });
    const { code, stdout } = await requests.ended;
    expect(code).toBe(0);
    expect(stdout.trim().split('\n')).toHaveLength(400);
  });
});

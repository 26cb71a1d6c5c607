/** Active health checks on real sockets: who is asked, who is left out, who comes back. */
import { createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ServiceConfig } from '../../../core/model/sidecar-config.ts';
import type { HealthCheckConfig } from '../../../core/model/traffic-config.ts';
import { eventually } from '../../support/eventually.ts';
import { PolicySidecar, startHttpOrigin, startOrigin } from '../../support/policy-sidecar.ts';
import { freePort } from '../../support/test-sidecar.ts';

let mesh: PolicySidecar;
let closers: (() => unknown)[] = [];
const http: HealthCheckConfig = {
  kind: 'http',
  path: '/healthz',
  service: '',
  port: null,
  intervalMs: 100,
  jitterPercent: 0,
  timeoutMs: 1_000,
  unhealthyThreshold: 2,
  healthyThreshold: 2,
};

beforeEach(async () => {
  mesh = await PolicySidecar.start();
  closers = [() => mesh.close()];
});

afterEach(async () => {
  for (const close of closers) await close();
});

/** Answers requests with its name; health checks with what `state` says. */
async function startChecked(name: string) {
  const state = { status: 200, checks: 0, agent: '' };
  const origin = await startHttpOrigin((incoming, response) => {
    if (incoming.url !== '/healthz') {
      response.end(name);
      return;
    }
    state.checks += 1;
    state.agent = incoming.headers['user-agent'] ?? '';
    response.writeHead(state.status).end();
  });
  closers.push(() => origin.close());
  return { state, port: origin.port };
}

const configure = (ports: readonly number[], healthCheck: HealthCheckConfig, service: Partial<ServiceConfig> = {}) =>
  mesh.configure(ports, { loadBalancer: { kind: 'round-robin' } }, service, { healthCheck });

async function answers(count = 8): Promise<string[]> {
  const found = new Set<string>();
  for (let round = 0; round < count; round += 1) found.add((await mesh.get()).body);
  return [...found].sort();
}

describe('health checks', () => {
  it('leave an endpoint out that says it is not well, and take it back when it is', async () => {
    const [a, b] = [await startChecked('a'), await startChecked('b')];
    await configure([a.port, b.port], http);
    expect(await answers()).toEqual(['a', 'b']);
    b.state.status = 503;
    await eventually('b gets nothing', async () => (await answers()).join() === 'a');
    expect(b.state.agent).toBe('meshdesk-health-check');
    await eventually('the report says so', () =>
      mesh.sidecar.control.reports.some(({ process }) =>
        (process.leftOut ?? []).some(({ endpoint, state }) => endpoint === 'orders-1' && state === 'unhealthy'),
      ),
    );
    b.state.status = 200;
    await eventually('b is back', async () => (await answers()).join() === 'a,b');
  });

  it('answer 503 UH when nobody is well', async () => {
    const a = await startChecked('a');
    await configure([a.port], http);
    expect((await mesh.get()).status).toBe(200);
    a.state.status = 500;
    await eventually('there is nobody', async () => (await mesh.get()).status === 503);
    expect((await mesh.get()).body).toBe('no healthy upstream');
  });

  it('with TCP only connect', async () => {
    const a = await startChecked('a');
    await configure([a.port, await freePort()], { ...http, kind: 'tcp' });
    await mesh.get();
    await eventually('the dead one is left out', async () => (await answers(6)).join() === 'a');
    expect(a.state.checks).toBe(0);
  });

  it('ask at another port, and fail on a silent one', async () => {
    const [a, health] = [await startChecked('a'), await startChecked('health')];
    await configure([a.port], { ...http, port: health.port });
    await mesh.get();
    await eventually('it is asked there', () => health.state.checks > 0);
    expect(a.state.checks).toBe(0);
  });

  it('ask the health service of gRPC', async () => {
    let status = 1;
    const asked: string[] = [];
    const server = createHttp2Server();
    server.on('stream', (stream: ServerHttp2Stream, headers) => {
      stream.on('error', () => undefined);
      if (headers[':path'] !== '/grpc.health.v1.Health/Check') {
        stream.respond({ ':status': 200 });
        stream.end('grpc');
        return;
      }
      const parts: Buffer[] = [];
      stream.on('data', (part: Buffer) => parts.push(part));
      stream.on('end', () => {
        asked.push(Buffer.concat(parts).subarray(7).toString());
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
        stream.end(Buffer.from([0, 0, 0, 0, 2, 8, status]));
      });
    });
    const origin = await startOrigin(server);
    closers.push(() => origin.close());
    const ports = [{ port: 8_080, protocol: 'grpc' as const }];
    await configure([origin.port], { ...http, kind: 'grpc', service: 'shop.Orders' }, { ports });
    expect((await mesh.get()).body).toBe('grpc');
    await eventually('it is asked', () => asked.includes('shop.Orders'));
    status = 2;
    await eventually('it is left out', async () => (await mesh.get()).status === 503);
  });

  it('end with the configuration that asks for none', async () => {
    const a = await startChecked('a');
    await configure([a.port], http);
    a.state.status = 500;
    await eventually('it is left out', async () => (await mesh.get()).status === 503);
    await mesh.configure([a.port], { loadBalancer: { kind: 'round-robin' } });
    expect((await mesh.get()).status).toBe(200);
  });
});

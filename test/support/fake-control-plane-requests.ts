import type { Explanation, RecentRequest } from '../../core/contract/explain-shapes.ts';
import { type FakeHost, found, type HandlersOf } from './fake-control-plane-host.ts';

/** Last requests of the demo mesh, and the explanation of one to payments. */
export function fakeRequests(host: FakeHost): HandlersOf<'request'> {
  const recent = (to: string | null, limit: number): RecentRequest[] =>
    Array.from({ length: Math.min(limit, 12) }, (_, place) => ({
      id: `r${place + 1}`,
      atMs: host.nowMs() - place * 170,
      from: 'orders.shop',
      to,
      version: place % 4 === 3 ? 'v2' : 'v1',
      route: null,
      method: place % 3 === 2 ? 'GET' : 'POST',
      path: place % 3 === 2 ? '/limits' : '/charge',
      status: place === 5 ? 503 : 200,
      flags: place % 3 === 1 ? 'DI' : '-',
      durationMs: place % 3 === 1 ? 406 + place : 4 + place,
      mtls: true,
      caller: 'orders',
      host: 'payments',
      port: 8080,
      endpoint: place % 4 === 3 ? 'payments-v2' : 'payments-v1',
      attempts: 1,
      headers: [],
    }));
  return {
    'request.recent': ({ to, limit }) => recent(to, limit),
    'request.explain': (input) => {
      if ('id' in input) {
        const recorded = found(
          recent('payments.shop', 12).find(({ id }) => id === input.id),
          `request ${input.id}`,
        );
        return explain('orders', recorded.method, recorded.path, [], recorded);
      }
      const url = new URL(input.url.includes('://') ? input.url : `http://${input.url}`);
      return explain(input.from, input.method, url.pathname, input.headers, null);
    },
  };
}

function explain(
  from: string,
  method: string,
  path: string,
  headers: Explanation['request']['headers'],
  recorded: RecentRequest | null,
): Explanation {
  const canary = headers.some(({ name, value }) => name.toLowerCase() === 'x-canary' && value === 'true');
  const subset = canary ? 'v2' : 'v1';
  const endpoints = [
    {
      id: `payments-${subset}`,
      name: `payments-${subset}`,
      address: '10.0.0.7',
      port: 8080,
      version: subset,
      priority: 0,
    },
  ].map((endpoint) => ({ ...endpoint, spiffeId: 'spiffe://cluster.local/ns/shop/sa/payments' }));
  const chosen = { chosen: `payments-${subset}`, chosenBy: 'the only endpoint', policy: {} };
  const asked = canary ? '"true"' : 'absent';
  return {
    caller: { id: from, name: from, service: `${from}.shop` },
    config: { revision: 41, state: 'in-force', ackedRevision: 41 },
    request: { method, scheme: 'http', host: 'payments', port: 8080, path, query: '', headers },
    listener: 'outbound, redirected to port 15001',
    service: 'payments.shop',
    routes: [
      canary
        ? { route: 'pin-v2', outcome: 'matched', reasons: ['header x-canary = "true"'] }
        : {
            route: 'pin-v2',
            outcome: 'did not match',
            reasons: [`header x-canary = "true": the request has ${asked}`],
          },
      {
        route: 'default',
        outcome: canary ? 'not reached' : 'matched',
        reasons: canary ? ['"pin-v2" matched first'] : [],
      },
    ],
    route: canary ? 'pin-v2' : 'default',
    outcome: {
      kind: 'forward',
      destination: { service: 'payments.shop', subset, port: 8080, share: canary ? 100 : 90, endpoints, ...chosen },
    },
    path,
    authority: 'payments:8080',
    timeoutMs: null,
    retries: {
      attempts: 2,
      retryOn: 'connect-failure',
      perTryTimeoutMs: null,
      backoffBaseMs: 25,
      avoidPreviousHosts: true,
    },
    rateLimits: [],
    draw: canary
      ? [{ service: 'payments.shop', subset: 'v2', share: 100 }]
      : [
          { service: 'payments.shop', subset: 'v1', share: 90 },
          { service: 'payments.shop', subset: 'v2', share: 10 },
        ],
    mirrors: [],
    faults: [],
    callee: { workload: `payments-${subset}`, port: 8080, protocol: 'http', mtls: 'PERMISSIVE', rateLimits: [] },
    leftOut: [],
    recorded,
  };
}

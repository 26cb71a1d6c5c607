import { describe, expect, it } from 'vitest';
import { compileRouteMatches } from '../../../core/policy/match-route.ts';
import { bookinfoGateway } from '../../support/bookinfo.ts';
import { request } from '../policy/request.ts';
import { configOf, meshOf, serviceIn, workload } from './mesh-of.ts';

/** What Istio's sample applications (bookinfo, helloworld, httpbin, sleep) configure, written anew; each loads and does what is said. */
const versions: Readonly<Record<string, readonly string[]>> = {
  productpage: ['v1'],
  reviews: ['v1', 'v2', 'v3'],
  ratings: ['v1', 'v2', 'v2-mysql'],
  details: ['v1', 'v2'],
  httpbin: ['v1', 'v2'],
};
const workloads = Object.entries(versions).flatMap(([service, all], row) =>
  all.map((version, column) =>
    workload({
      name: `${service}-${version}`,
      service,
      namespace: 'default',
      version,
      addresses: [{ network: 'shop', ip: `10.0.${row}.${column + 1}`, aliases: [service] }],
    }),
  ),
);
const destinationRules = Object.entries(versions)
  .map(
    ([host, all]) => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: ${host}
  namespace: default
spec:
  host: ${host}
  subsets:
${all.map((version) => `  - name: ${version}\n    labels:\n      version: ${version}\n`).join('')}`,
  )
  .join('---');
const virtualService = (host: string, http: string, apiVersion = 'networking.istio.io/v1') => `---
apiVersion: ${apiVersion}
kind: VirtualService
metadata:
  name: ${host}
  namespace: default
spec:
  hosts:
    - ${host}
  http:
${http}`;
const config = (yaml: string) => configOf(meshOf(workloads, `${destinationRules}${yaml}`), 'productpage-v1');
const service = (yaml: string, host: string) => serviceIn(config(yaml), `${host}.default`);
const to = (host: string, subset: string, weight?: number) => `    - destination:
        host: ${host}
        subset: ${subset}
${weight === undefined ? '' : `      weight: ${weight}\n`}`;
const only = (host: string, subset: string) => virtualService(host, `  - route:\n${to(host, subset)}`);

/** Who may answer a request, with shares. */
const shares = (yaml: string, host: string, headers: Record<string, string> = {}) =>
  compileRouteMatches(service(yaml, host).routes)(request({ headers }))?.route.destinations.map(
    ({ subset, weight }) => [subset, weight] as const,
  );
const jason = { 'end-user': 'jason' };
const jasonOnly = (host: string, then: string, otherwise: string, more = '') =>
  virtualService(
    host,
    `  - match:
    - headers:
        end-user:
          exact: jason
${more}    route:
${to(host, then)}  - route:
${to(host, otherwise)}`,
  );

describe('bookinfo', () => {
  it('all v1', () => {
    for (const host of ['productpage', 'reviews', 'ratings', 'details'])
      expect(shares(only(host, 'v1'), host)).toEqual([['v1', 0]]);
  });

  it('reviews v2 for jason, v1 for everybody else', () => {
    const yaml = jasonOnly('reviews', 'v2', 'v1');
    expect(shares(yaml, 'reviews', jason)).toEqual([['v2', 0]]);
    expect(shares(yaml, 'reviews', { 'end-user': 'Jason' })).toEqual([['v1', 0]]);
    expect(shares(yaml, 'reviews')).toEqual([['v1', 0]]);
  });

  it('reviews v2 for jason, v3 for everybody else', () => {
    const yaml = jasonOnly('reviews', 'v2', 'v3');
    expect(shares(yaml, 'reviews')).toEqual([['v3', 0]]);
  });

  it.each([
    ['v1', 80, 'v2', 20],
    ['v1', 90, 'v2', 10],
    ['v1', 50, 'v3', 50],
    ['v2', 50, 'v3', 50],
  ] as const)('reviews %s %i and %s %i', (a, share, b, rest) => {
    const yaml = virtualService('reviews', `  - route:\n${to('reviews', a, share)}${to('reviews', b, rest)}`);
    expect(shares(yaml, 'reviews')).toEqual([
      [a, share],
      [b, rest],
    ]);
  });

  it('ratings are delayed by 7 s for jason', () => {
    const fault = '    fault:\n      delay:\n        percentage:\n          value: 100.0\n        fixedDelay: 7s\n';
    const all = config(jasonOnly('ratings', 'v1', 'v1', fault));
    const [first, second] = serviceIn(all, 'ratings.default').routes;
    expect(all.faults).toMatchObject([{ route: first?.name, action: { kind: 'delay', delayMs: 7_000 }, percent: 100 }]);
    expect(second?.name).not.toBe(first?.name);
  });

  it('ratings are aborted with 500 for jason', () => {
    const fault = '    fault:\n      abort:\n        percentage:\n          value: 100.0\n        httpStatus: 500\n';
    const { faults } = config(jasonOnly('ratings', 'v1', 'v1', fault));
    expect(faults).toMatchObject([{ action: { kind: 'abort', httpStatus: 500 }, percent: 100 }]);
  });

  it('ratings from the MySQL version', () => {
    expect(shares(only('ratings', 'v2-mysql'), 'ratings')).toEqual([['v2-mysql', 0]]);
  });

  it('reviews time out after half a second', () => {
    const yaml = virtualService('reviews', `  - route:\n${to('reviews', 'v2')}    timeout: 0.5s\n`);
    expect(service(yaml, 'reviews').routes[0]?.timeoutMs).toBe(500);
  });

  it('the gateway of the application leaves its sidecars alone', () => {
    expect(service(`---${bookinfoGateway}`, 'productpage').routes).toEqual([]);
  });

  it('details from an external service over TLS', () => {
    const yaml = `---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: googleapis
  namespace: default
spec:
  hosts:
  - www.googleapis.com
  ports:
  - number: 80
    name: http
    protocol: HTTP
  - number: 443
    name: https
    protocol: HTTPS
  resolution: DNS
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: rewrite-port-for-googleapis
  namespace: default
spec:
  hosts:
  - www.googleapis.com
  http:
  - match:
    - port: 80
    route:
    - destination:
        host: www.googleapis.com
        port:
          number: 443
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: originate-tls-for-googleapis
  namespace: default
spec:
  host: www.googleapis.com
  trafficPolicy:
    loadBalancer:
      simple: ROUND_ROBIN
    portLevelSettings:
    - port:
        number: 443
      tls:
        mode: SIMPLE
`;
    const entry = config(yaml).services.find(({ hosts }) => hosts.includes('www.googleapis.com'));
    expect(entry?.routes[0]?.destinations).toMatchObject([{ port: 443 }]);
  });
});

describe('httpbin', () => {
  it('is mirrored to v2', () => {
    const yaml = virtualService(
      'httpbin',
      `  - route:\n${to('httpbin', 'v1', 100)}    mirror:\n      host: httpbin\n      subset: v2\n    mirrorPercentage:\n      value: 100.0\n`,
    );
    expect(service(yaml, 'httpbin').routes[0]?.mirrors).toMatchObject([{ subset: 'v2', percent: 100 }]);
  });

  it('has a circuit that opens', () => {
    const yaml = `---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: httpbin-circuit
  namespace: default
spec:
  host: productpage
  trafficPolicy:
    connectionPool:
      tcp:
        maxConnections: 1
      http:
        http1MaxPendingRequests: 1
        maxRequestsPerConnection: 1
    outlierDetection:
      consecutive5xxErrors: 1
      interval: 1s
      baseEjectionTime: 3m
      maxEjectionPercent: 100
`;
    const own = configOf(meshOf(workloads, yaml.replace(/^---/, '')), 'reviews-v1');
    expect(serviceIn(own, 'productpage.default').policies?.[0]?.policy).toMatchObject({
      maxConnections: 1,
      maxPendingRequests: 1,
      maxRequestsPerConnection: 1,
      outlier: { consecutive5xx: 1, maxEjectionPercent: 100 },
    });
  });
});

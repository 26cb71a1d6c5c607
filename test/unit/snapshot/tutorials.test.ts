import { describe, expect, it } from 'vitest';
import { policyOf } from '../../../core/model/traffic-config.ts';
import { compileRouteMatches } from '../../../core/policy/match-route.ts';
import { pickDestination } from '../../../core/policy/pick-destination.ts';
import { createSeededRandom } from '../../../core/shared/random.ts';
import { request } from '../policy/request.ts';
import { configOf, meshOf, serviceIn, workload } from './mesh-of.ts';

/** The examples that every tutorial shows, word for word: they load without an error and do what is said of them. */
const reviews = (version: string) =>
  workload({
    name: `reviews-${version}`,
    service: 'reviews',
    namespace: 'default',
    version,
    addresses: [{ network: 'shop', ip: `10.0.0.${version.slice(1)}`, aliases: ['reviews'] }],
  });
const web = workload({ name: 'web', namespace: 'default' });
const mesh = (yaml: string) => meshOf([web, reviews('v1'), reviews('v2')], yaml);
const service = (yaml: string) => serviceIn(configOf(mesh(yaml), 'web'), 'reviews.default');

const subsets = `
apiVersion: networking.istio.io/v1alpha3
kind: DestinationRule
metadata:
  name: reviews
spec:
  host: reviews
  subsets:
  - name: v1
    labels:
      version: v1
  - name: v2
    labels:
      version: v2
`;

describe('tutorial examples', () => {
  it('canary by weights: one in ten to v2', () => {
    const [route] = service(`${subsets}---
apiVersion: networking.istio.io/v1alpha3
kind: VirtualService
metadata:
  name: reviews
spec:
  hosts:
    - reviews
  http:
  - route:
    - destination:
        host: reviews
        subset: v1
      weight: 90
    - destination:
        host: reviews
        subset: v2
      weight: 10
`).routes;
    const random = createSeededRandom(1);
    const drawn = Array.from({ length: 10_000 }, () => pickDestination(route?.destinations ?? [], random)?.subset);
    expect(drawn.filter((subset) => subset === 'v2').length / 10_000).toBeCloseTo(0.1, 1);
  });

  it('header match to a canary', () => {
    const found = compileRouteMatches(
      service(`${subsets}---
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata:
  name: reviews
spec:
  hosts:
  - reviews
  http:
  - match:
    - headers:
        end-user:
          exact: jason
    route:
    - destination:
        host: reviews
        subset: v2
  - route:
    - destination:
        host: reviews
        subset: v1
`).routes,
    );
    const subset = (headers: Record<string, string>) => found(request({ headers }))?.route.destinations[0]?.subset;
    expect([subset({ 'end-user': 'jason' }), subset({ 'end-user': 'ann' }), subset({})]).toEqual(['v2', 'v1', 'v1']);
  });

  it.each([
    ['consecutive5xxErrors: 1', { consecutive5xx: 1, consecutiveGatewayErrors: 0 }],
    // Deprecated, and without effect in istiod since it has the two others; the finding says so.
    ['consecutiveErrors: 1', { consecutive5xx: 5, consecutiveGatewayErrors: 0 }],
  ])('circuit breaker with %s', (errors, expected) => {
    const { policies = [] } = service(`
apiVersion: networking.istio.io/v1alpha3
kind: DestinationRule
metadata:
  name: reviews
spec:
  host: reviews
  trafficPolicy:
    connectionPool:
      tcp:
        maxConnections: 1
      http:
        http1MaxPendingRequests: 1
        maxRequestsPerConnection: 1
    outlierDetection:
      ${errors}
      interval: 1s
      baseEjectionTime: 3m
      maxEjectionPercent: 100
`);
    expect(policyOf(policies, null, 80)).toMatchObject({
      maxConnections: 1,
      maxPendingRequests: 1,
      maxRequestsPerConnection: 1,
      outlier: { ...expected, intervalMs: 1_000, baseEjectionMs: 180_000, maxEjectionPercent: 100 },
    });
  });

  it('retries 3 x 2 s within 5 s, of which two fit', () => {
    const yaml = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: reviews
spec:
  hosts:
  - reviews
  http:
  - route:
    - destination:
        host: reviews
    timeout: 5s
    retries:
      attempts: 3
      perTryTimeout: 2s
      retryOn: connect-failure,refused-stream,503
`;
    expect(service(yaml).routes[0]).toMatchObject({
      timeoutMs: 5_000,
      retries: { attempts: 3, perTryTimeoutMs: 2_000, retryOn: 'connect-failure,refused-stream,503' },
    });
    expect(mesh(yaml).findings.map(({ code }) => code)).toEqual(['TIMEOUT_BELOW_RETRIES']);
  });

  it('STRICT mutual TLS, but for one port', () => {
    const config = configOf(
      mesh(`
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata:
  name: reviews
  namespace: default
spec:
  selector:
    matchLabels:
      app: web
  mtls:
    mode: STRICT
  portLevelMtls:
    9090:
      mode: PERMISSIVE
`),
      'web',
    );
    expect(config.inbound).toMatchObject({
      mtls: 'STRICT',
      ports: expect.arrayContaining([expect.objectContaining({ port: 9_090, mtls: 'PERMISSIVE' })]),
    });
  });

  it('tokens and claims load', () => {
    const { resources } = mesh(`
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata:
  name: jwt-example
  namespace: istio-system
spec:
  selector:
    matchLabels:
      istio: ingressgateway
  jwtRules:
  - issuer: "testing@secure.istio.io"
    jwksUri: "https://raw.githubusercontent.com/istio/istio/release-1.20/security/tools/jwt/samples/jwks.json"
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: require-jwt
  namespace: foo
spec:
  selector:
    matchLabels:
      app: httpbin
  action: ALLOW
  rules:
  - from:
    - source:
       requestPrincipals: ["testing@secure.istio.io/testing@secure.istio.io"]
    when:
    - key: request.auth.claims[groups]
      values: ["group1"]
`);
    expect(resources.kept.map(({ kind }) => kind).sort()).toEqual(['AuthorizationPolicy', 'RequestAuthentication']);
  });

  it('an SMI split 90/10', () => {
    const [route] = service(`
apiVersion: split.smi-spec.io/v1alpha2
kind: TrafficSplit
metadata:
  name: reviews-rollout
spec:
  service: reviews
  backends:
  - service: reviews-v1
    weight: 90
  - service: reviews-v2
    weight: 10
`).routes;
    const weights = route?.destinations.map(({ weight }) => weight) ?? [];
    expect(weights.map((weight) => weight / weights.reduce((sum, one) => sum + one, 0))).toEqual([0.9, 0.1]);
  });
});

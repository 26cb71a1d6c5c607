/** What an explanation says is what the data plane decides, for generated rules and requests and the same draws. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { DownstreamContext } from '../../../core/data-plane/connection.ts';
import { compileConfig } from '../../../core/data-plane/http/compiled-config.ts';
import type { ParsedRequest } from '../../../core/data-plane/http/parsed-request.ts';
import { planRoute } from '../../../core/data-plane/http/routing.ts';
import { explainRequest } from '../../../core/policy/explain-request.ts';
import { createSeededRandom } from '../../../core/shared/random.ts';
import { request } from '../policy/request.ts';
import { configOf, meshOf, routes, shop, versions } from '../snapshot/mesh-of.ts';

const context: DownstreamContext = {
  direction: 'outbound',
  remote: { host: '10.0.0.9', port: 40_000 },
  originalDestination: { host: '10.9.9.9', port: 80 },
  target: null,
  service: null,
  forwardProxy: false,
  peerSpiffeId: null,
};

const text = (value: unknown) => JSON.stringify(value);
const destination = fc.record({
  destination: fc.record({
    host: fc.constantFrom('payments', 'web', 'nowhere'),
    subset: fc.constantFrom('v1', 'v2', 'v9'),
  }),
  weight: fc.integer({ min: 0, max: 3 }),
});
const action = fc.oneof(
  fc.array(destination, { minLength: 1, maxLength: 3 }).map((route) => ({ route: distinct(route) })),
  fc.constant({ redirect: { uri: '/elsewhere', redirectCode: 302 } }),
  fc.constant({ directResponse: { status: 418 } }),
);
const block = fc.oneof(
  fc.constantFrom('/a', '/a/b', '/c').map((exact) => ({ uri: { exact } })),
  fc.constantFrom('/a', '/c/').map((prefix) => ({ uri: { prefix } })),
  fc.constantFrom('x', 'y').map((value) => ({ headers: { 'x-kind': { exact: value } } })),
  fc.constant({ method: { regex: 'P.*' } }),
);
const rule = fc
  .record({
    matched: fc.option(fc.array(block, { minLength: 1, maxLength: 2 }), { nil: undefined }),
    does: action,
    timeout: fc.option(fc.constant('3s'), { nil: undefined }),
  })
  .map(({ matched, does, timeout }) => ({
    ...(matched === undefined ? {} : { match: matched }),
    ...does,
    ...(timeout === undefined || !('route' in does) ? {} : { timeout }),
  }));
const asked = fc.record({
  host: fc.constantFrom('payments', 'payments.shop.svc.cluster.local', 'web', 'example.com'),
  path: fc.constantFrom('/', '/a', '/a/b', '/c', '/c/d'),
  method: fc.constantFrom('GET', 'POST'),
  kind: fc.constantFrom('x', 'y', 'z'),
});

/** One destination once, and some weight. */
function distinct<T extends { readonly destination: object; readonly weight: number }>(route: readonly T[]): T[] {
  const once = [...new Map(route.map((one) => [text(one.destination), one])).values()];
  return once.every(({ weight }) => weight === 0) ? once.map((one) => ({ ...one, weight: 1 })) : once;
}

it('names the route, the answer or the destination, and the endpoints that traffic would go to', () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 4 }), asked, fc.integer(), (rules, { kind, ...given }, seed) => {
      const yaml = rules.length === 0 ? versions : `${versions}---${routes(text(rules))}`;
      const config = configOf(meshOf(shop(), yaml), 'web');
      const view = request({ ...given, headers: { host: given.host, 'x-kind': kind } });
      const parsed: ParsedRequest = {
        ...view,
        ...{ authority: given.host, authorityPort: null, rewrittenTarget: null, form: 'origin' },
      };
      const { plan } = planRoute(context, parsed, compileConfig(config));
      const routing = plan.always ?? plan.choose(parsed, createSeededRandom(seed));
      const { outcome, ...explained } = explainRequest(config, view, createSeededRandom(seed));
      seen.add(outcome.kind);
      if (outcome.kind === 'outside') {
        expect(routing).toMatchObject({ kind: 'forward', service: null });
        return;
      }
      expect({ service: explained.service, route: explained.route }).toEqual({
        service: routing.service,
        // Nobody to send to: the answer names no route where the service has none.
        route: routing.kind === 'answer' && routing.flag === 'UH' ? explained.route : routing.route,
      });
      if (outcome.kind === 'forward') {
        if (routing.kind !== 'forward') throw new Error(`the data plane answers ${routing.status}`);
        expect(outcome.destination.endpoints.map(({ id }) => id)).toEqual(
          routing.candidates.map((one) => one.endpoint.id),
        );
        expect(explained.timeoutMs).toBe(routing.timeoutMs);
        expect(explained.retries?.attempts).toBe(routing.retry.attempts);
        return;
      }
      if (outcome.kind !== 'answer') throw new Error(`${outcome.kind} was not asked for`);
      if (routing.kind === 'answer') expect(routing).toMatchObject({ status: outcome.status, flag: outcome.flag });
      else expect([routing.candidates, outcome.flag]).toEqual([[], 'UH']);
    }),
    { numRuns: 150 },
  );
  expect([...seen].sort()).toEqual(['answer', 'forward', 'outside']);
});

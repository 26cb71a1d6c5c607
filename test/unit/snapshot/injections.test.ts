import { describe, expect, it } from 'vitest';
import { FaultInjection } from '../../../core/model/fault-injection.ts';
import { configOf, meshOf, resourcesOf, shop } from './mesh-of.ts';

const resource = (kind: string, spec: string, api = 'networking.istio.io/v1', name = 'x', namespace = 'shop') =>
  `\napiVersion: ${api}\nkind: ${kind}\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec: { ${spec} }\n`;

describe('injections', () => {
  const active = (spec: string) => {
    const [found] = resourcesOf(resource('FaultInjection', spec, 'meshdesk.dev/v1alpha1', 'f'));
    return { resource: FaultInjection.parse(found), sinceMs: 1_000, expiresAtMs: 61_000 };
  };
  const injections = (spec: string, id = 'web') =>
    configOf(meshOf(shop(), '', { injections: [active(spec)] }), id).injections;

  it.each([
    [
      'delay: { percentage: { value: 10 }, normalDelay: { mean: 100ms, deviation: 10ms } }',
      { kind: 'delay', delay: { kind: 'normal', meanMs: 100, deviationMs: 10 } },
    ],
    [
      'delay: { percentage: { value: 10 }, percentileDelay: { p50: 10ms, p99: 1s } }',
      {
        kind: 'delay',
        delay: {
          kind: 'percentiles',
          points: [
            { percentile: 50, ms: 10 },
            { percentile: 99, ms: 1_000 },
          ],
        },
      },
    ],
    [
      'abort: { percentage: { value: 10 }, grpcStatus: UNAVAILABLE }',
      { kind: 'abort', httpStatus: 200, grpcStatus: 14 },
    ],
    [
      'responseBandwidth: { percentage: { value: 10 }, kibPerSecond: 2 }',
      { kind: 'response-bandwidth', bytesPerSecond: 2_048 },
    ],
    ['truncate: { percentage: { value: 10 }, afterBytes: 5 }', { kind: 'truncate', afterBytes: 5 }],
    ['body: { percentage: { value: 10 }, set: x }', { kind: 'body', set: 'x', replace: [] }],
    [
      'headers: { percentage: { value: 10 }, response: { remove: [X-A] } }',
      { kind: 'headers', request: null, response: { remove: ['x-a'], set: [], add: [] } },
    ],
    [
      'tcp: { latency: { latency: 100ms, jitter: 10ms, stream: upstream, percentage: { value: 10 } } }',
      { kind: 'tcp-latency', stream: 'upstream', latencyMs: 100, jitterMs: 10 },
    ],
    [
      'tcp: { bandwidth: { kbPerSecond: 1, percentage: { value: 10 } } }',
      { kind: 'tcp-bandwidth', stream: 'downstream', bytesPerSecond: 1_000 },
    ],
    [
      'tcp: { slicer: { averageBytes: 10, variationBytes: 2, delay: 50us, percentage: { value: 10 } } }',
      { kind: 'tcp-slicer', averageBytes: 10, variationBytes: 2, delayMs: 0.05 },
    ],
    ['tcp: { refuse: { percentage: { value: 10 } } }', { kind: 'tcp-refuse' }],
    ['dns: { delay: { fixedDelay: 1s, percentage: { value: 10 } } }', { kind: 'dns-delay', delayMs: 1_000 }],
  ])('say %s in numbers', (fault, action) => {
    expect(injections(`from: web, to: payments, fault: { ${fault} }`)).toMatchObject([
      {
        id: 'f',
        service: 'payments.shop',
        percent: 10,
        action,
        trigger: { kind: 'always' },
        sinceMs: 1_000,
        expiresAtMs: 61_000,
      },
    ]);
  });

  it('are for the callers they name, with trigger and schedule', () => {
    const spec =
      'from: web, to: payments, port: 8080, trigger: { every: 3 }, schedule: { on: 10s, off: 50s }, fault: { tcp: { resetPeer: {} } }';
    expect(injections(spec)).toMatchObject([
      {
        port: 8_080,
        percent: 100,
        trigger: { kind: 'every', count: 3 },
        schedule: { startAfterMs: 0, onMs: 10_000, offMs: 50_000 },
      },
    ]);
    expect(injections(spec, 'payments')).toBeUndefined();
  });

  it('of workloads are not for sidecars', () => {
    expect(injections('to: payments, fault: { workload: { kill: {} } }')).toBeUndefined();
  });
});

import { describe, expect, it } from 'vitest';
import { type FaultOptions, toFaultSpec } from '../../../core/control-plane/cli/fault-spec.ts';
import { describeFault, describeTiming, percentOf } from '../../../core/model/describe-fault.ts';
import { FaultSpec } from '../../../core/model/fault-injection.ts';

/** What the contract makes of it. */
const parsed = (options: Partial<FaultOptions>) =>
  FaultSpec.parse(toFaultSpec({ to: 'payments', percent: 100, ...options }));
const told = (options: Partial<FaultOptions>) => {
  const spec = parsed(options);
  const { kind, strength } = describeFault(spec);
  return [`${kind} ${strength}`.trim(), percentOf(spec), describeTiming(spec)];
};

describe('options of `fault set`', () => {
  it.each<[Partial<FaultOptions>, string]>([
    [{ delay: '400ms' }, 'delay 400 ms'],
    [{ delay: '2' }, 'delay 2 s'],
    [{ delay: '100ms..300ms' }, 'delay 100 ms to 300 ms'],
    [{ delay: '200ms~50ms' }, 'delay 200 ms ± 50 ms'],
    [{ delay: 'p50=10ms,p99=1s' }, 'delay p50 10 ms, p99 1 s'],
    [{ abort: '503' }, 'abort 503'],
    [{ abort: 'UNAVAILABLE', abortBody: 'down', abortHeader: ['retry-after=1'] }, 'abort UNAVAILABLE'],
    [{ bandwidth: 64 }, 'bandwidth 64 KiB/s'],
    [{ requestHeader: ['x-a=1', '-x-b'] }, 'headers request -x-b +x-a'],
    [{ requestHeader: ['x-a=1'], responseHeader: ['-server'] }, 'headers request +x-a; response -server'],
    [{ body: '' }, 'body another one, 0 characters'],
    [{ replace: ['a=b', 'c='] }, 'body 2 replaced'],
    [{ truncate: 100 }, 'truncate after 100 bytes'],
    [{ tcp: 'latency:latency=100ms,jitter=20ms' }, 'tcp latency 100 ms ± 20 ms'],
    [{ tcp: 'bandwidth:kbPerSecond=5,stream=upstream' }, 'tcp bandwidth 5 KB/s'],
    [{ tcp: 'refuse' }, 'tcp refuse'],
    [{ dns: 'nxdomain' }, 'dns nxdomain'],
    [{ dns: 'delay:fixedDelay=1s' }, 'dns delay 1 s'],
    [{ workload: 'pause' }, 'workload pause'],
    [{ identity: 'expiredCertificate' }, 'identity expired certificate'],
  ])('%j say %s', (options, text) => {
    expect(told(options)).toEqual([text, 100, '']);
  });

  it.each<[Partial<FaultOptions>, string]>([
    [{ first: 3 }, 'first 3'],
    [{ every: 5 }, 'every 5th'],
    [{ retriesOnly: true }, 'retries only'],
    [{ window: '10s..30s' }, 'from 10s to 30s'],
    [{ on: '10s', off: '50s', startAfter: '5s' }, '10s on, 50s off after 5s'],
    [{ first: 3, on: '1s', off: '1s' }, 'first 3, 1s on, 1s off'],
  ])('%j say when: %s', (options, text) => {
    expect(told({ abort: '503', percent: 30, ...options })).toEqual(['abort 503', 30, text]);
  });

  it('say which requests', () => {
    const scope = {
      from: 'web',
      port: 80,
      route: 'api',
      path: '/v1',
      header: ['X-User=ann'],
      duration: 1_500,
      seed: 4,
    };
    expect(parsed({ abort: '503', ...scope })).toMatchObject({
      ...{ from: 'web', to: 'payments', port: 80, route: 'api', duration: '1.5s', seed: 4 },
      match: [{ uri: { prefix: '/v1' }, headers: { 'x-user': { exact: 'ann' } } }],
    });
  });

  it.each<Partial<FaultOptions>>([
    {},
    { delay: '1s', abort: '503' },
    { abort: '199' },
    { abort: 'AVAILABLE' },
    { delay: 'p99=1s' },
    { body: 'a', truncate: 1 },
    { abort: '503', first: 1, every: 2 },
    { abort: '503', on: '1s' },
    { abort: '503', header: ['no value'] },
    { requestHeader: ['=x'] },
  ])('%j are wrong', (options) => {
    expect(() => toFaultSpec({ to: 'payments', percent: 100, ...options })).toThrow();
  });
});

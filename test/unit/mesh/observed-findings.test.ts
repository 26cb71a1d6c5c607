import { describe, expect, it } from 'vitest';
import { ObservedFindings } from '../../../core/control-plane/mesh/observed-findings.ts';
import { TelemetryStore } from '../../../core/control-plane/telemetry/telemetry-store.ts';
import { httpEdge, toReport } from '../../support/telemetry-report.ts';
import { meshOf, routes, workload } from '../snapshot/mesh-of.ts';

const names = ['web', 'orders', 'payments'];
const chain = (retryOn: string) =>
  ['orders', 'payments']
    .map((name) =>
      routes(
        `[{ retries: { attempts: 3, retryOn: "${retryOn}" }, route: [{ destination: { host: ${name} } }] }]`,
        name,
        'shop',
        `[${name}]`,
      ),
    )
    .join('---');

function observe(retryOn: string) {
  const time = { nowMs: 1_000_000_000 };
  const clock = { nowMs: () => time.nowMs, monotonicMs: () => time.nowMs };
  const telemetry = new TelemetryStore({
    clock,
    directory: {
      byId: (id) => ({ id, service: `${id}.shop`, version: null, attached: true }),
      byAddress: () => null,
      isLocal: () => false,
    },
  });
  const snapshot = meshOf(
    names.map((name) => workload({ name })),
    chain(retryOn),
  );
  const findings = new ObservedFindings({ snapshot: () => snapshot, telemetry, clock });
  const call = (from: string, to: string) =>
    telemetry.take(from, toReport([httpEdge({ peerService: `${to}.shop`, peerWorkload: to }, [5])]));
  return { findings, call, time };
}

describe('retries along the calls that are observed', () => {
  it('are a finding of the rule once the calls are seen, and not before', () => {
    const { findings, call, time } = observe('5xx');
    expect(findings.all()).toEqual([]);
    call('web', 'orders');
    call('orders', 'payments');
    expect(findings.all()).toEqual([]);
    time.nowMs += 6_000;
    const all = findings.all();
    expect(all).toMatchObject([
      {
        code: 'RETRY_AMPLIFICATION',
        severity: 'warning',
        message:
          'VirtualService shop/payments: retries multiply along web.shop -> orders.shop -> payments.shop: one request can become 16 at payments.shop',
      },
    ]);
    time.nowMs += 6_000;
    expect(findings.all()).toBe(all);
  });

  it('do not multiply where only failed connections are repeated', () => {
    const { findings, call, time } = observe('connect-failure,refused-stream');
    call('web', 'orders');
    call('orders', 'payments');
    time.nowMs += 6_000;
    expect(findings.all()).toEqual([]);
  });
});

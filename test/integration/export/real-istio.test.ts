import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { printResources } from '../../../core/model/print-resources.ts';
import type { VirtualService } from '../../../core/model/virtual-service.ts';
import { findIstioRuntime } from '../../support/istio-tools.ts';
import {
  type Answer,
  type RealIstio,
  serviceEntry,
  startRealIstio,
  startUpstream,
  type Upstream,
} from '../../support/real-istio.ts';
import { matchCases } from '../../unit/policy/match-cases.ts';
import { exportShop, ordersFaults } from './sample-export.ts';

/** A real istiod and Envoy decides as we say: the exported split, pin and faults, and what a match accepts. */
const runtime = findIstioRuntime();
const reason = 'MESHDESK_ISTIO_RUNTIME does not name a program that runs istiod and Envoy';

/** Port, scheme and authority are another matter behind a forward proxy; Node does not send odd methods. */
const askable = matchCases.filter(
  ([, match, given]) =>
    match.port === undefined &&
    !match.scheme &&
    !match.authority &&
    (given?.method ?? 'GET').toUpperCase() === (given?.method ?? 'GET'),
);

/** One host per case: what matches goes to `matched`, everything else to `other`. */
const caseRules = askable.map(
  ([, match], index): VirtualService => ({
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: { name: `case-${index}`, namespace: 'shop' },
    spec: {
      hosts: [`case-${index}.shop.svc.cluster.local`],
      http: [
        { match: [match], route: [{ destination: { host: 'matched.shop.svc.cluster.local' } }] },
        { route: [{ destination: { host: 'other.shop.svc.cluster.local' } }] },
      ],
    },
  }),
);

describe('a real Istio', () => {
  const upstreams: Upstream[] = [];
  let istio: RealIstio | null = null;
  const get: RealIstio['get'] = (given) => {
    if (istio === null) throw new Error('Istio does not run');
    return istio.get(given);
  };
  const getMany = (count: number, host: string, headers: Record<string, string> = {}): Promise<Answer[]> =>
    Promise.all(Array.from({ length: count }, () => get({ host, headers })));

  beforeAll(async () => {
    if (runtime === null) {
      process.stderr.write(`skipped: ${reason}\n`);
      return;
    }
    const start = async (name: string, version = 'v1') => {
      const upstream = await startUpstream(name);
      upstreams.push(upstream);
      return { version, port: upstream.port };
    };
    const exported = exportShop({ faults: ordersFaults }).files.filter(
      ({ path }) => path.startsWith('shop/') && !path.includes('peer-authentication'),
    );
    const other = await start('other');
    istio = await startRealIstio(
      runtime,
      [
        ...exported.map(({ content }) => content),
        serviceEntry(['payments'], [await start('payments v1', 'v1'), await start('payments v2', 'v2')]),
        serviceEntry(['orders'], [await start('orders', '1.0')]),
        serviceEntry(['matched'], [await start('matched')]),
        serviceEntry(['other', ...caseRules.map(({ metadata }) => metadata.name)], [other]),
        printResources(caseRules),
      ],
      async (ask) => {
        const pinned = await ask({ host: 'payments', headers: { 'x-beta': 'yes' } });
        const orders = await ask({ host: 'orders' });
        const last = await ask({ host: `case-${askable.length - 1}`, path: '/nothing-special' });
        return pinned.body === 'payments v2' && orders.body !== 'no healthy upstream' && last.status === 200;
      },
    );
  });

  afterAll(async () => {
    await istio?.close();
    for (const upstream of upstreams) upstream.close();
  });

  beforeEach((context) => {
    if (runtime === null) context.skip(reason);
  });

  it('splits 90 to 10 with the exported files', async () => {
    const answers = await getMany(2_000, 'payments');
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    const share = answers.filter(({ body }) => body === 'payments v2').length / answers.length;
    expect(Math.abs(share - 0.1)).toBeLessThan(0.04);
  });

  it('sends pinned requests to v2, and only those', async () => {
    const pinned = await getMany(100, 'payments', { 'x-beta': 'yes' });
    expect(new Set(pinned.map(({ body }) => body))).toEqual(new Set(['payments v2']));
    const others = await getMany(100, 'payments', { 'x-beta': 'no' });
    expect(others.some(({ body }) => body === 'payments v1')).toBe(true);
  });

  it('delays 30 % by 400 ms and aborts 10 % with 503', async () => {
    const answers: Answer[] = [];
    const others: Answer[] = [];
    for (let round = 0; round < 30; round += 1) {
      answers.push(...(await getMany(20, 'orders')));
      others.push(...(await getMany(10, 'payments')));
    }
    // A busy machine is slow to answer what no rule delays as well.
    const slow = (all: readonly Answer[]) => all.filter(({ durationMs }) => durationMs >= 395).length / all.length;
    const busy = slow(others);
    const delayed = (slow(answers) - busy) / (1 - busy);
    const aborted = answers.filter(({ status }) => status === 503).length / answers.length;
    expect(Math.abs(delayed - 0.3)).toBeLessThan(0.12);
    expect(Math.abs(aborted - 0.1)).toBeLessThan(0.07);
    expect(answers.filter(({ status }) => status !== 200).every(({ body }) => body === 'fault filter abort')).toBe(
      true,
    );
  });

  it.each(askable.map(([name, , given, matches], index) => ({ name, given, matches, index })))(
    'agrees about $name: $matches',
    async ({ given, matches, index }) => {
      const { path = '/', query = '', method = 'GET', headers = {} } = given ?? {};
      const answer = await get({
        host: `case-${index}`,
        path: query === '' ? path : `${path}?${query}`,
        method,
        headers: { ...headers },
      });
      expect(answer).toMatchObject({ status: 200, body: matches ? 'matched' : 'other' });
    },
  );
});

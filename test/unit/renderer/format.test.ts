import { describe, expect, it } from 'vitest';
import { encryptedShare } from '../../../renderer/features/security/encrypted-share.ts';
import { validityOf } from '../../../renderer/features/security/validity.ts';
import { groupWorkloads } from '../../../renderer/features/workloads/group-workloads.ts';
import {
  formatBytes,
  formatBytesPerSecond,
  formatCountdown,
  formatFingerprint,
  formatMs,
  formatPercent,
  formatRate,
  formatSpan,
} from '../../../renderer/ui/format.ts';
import { tokenizeYaml } from '../../../renderer/ui/yaml-tokens.ts';
import { demoTopology, demoWorkloads } from '../../support/fake-mesh-data.ts';

describe('figures as text', () => {
  it.each([
    [formatRate(36.2), '36 req/s'],
    [formatRate(0.42), '0.42 req/s'],
    [formatRate(12_400), '12.4k req/s'],
    [formatMs(8.04), '8 ms'],
    [formatMs(405.4), '405 ms'],
    [formatMs(12_500), '12.5 s'],
    [formatPercent(0), '0 %'],
    [formatPercent(0.04), '0.04 %'],
    [formatPercent(98.25), '98.3 %'],
    [formatPercent(99.97), '> 99.9 %'],
    [formatPercent(100), '100 %'],
    [formatBytes(312_000_000), '312 MB'],
    [formatBytesPerSecond(1_200_000), '1.2 MB/s'],
    [formatSpan(39_720_000), '11 h 02 m'],
    [formatSpan(60_000), '60 s'],
    [formatCountdown(42_000), '0:42'],
    [formatFingerprint('4f1c920a'), '4F:1C:92:0A'],
  ])('writes %s', (text, expected) => {
    expect(text).toBe(expected);
  });

  it('says no data, never zero, when there is none', () => {
    for (const format of [formatRate, formatMs, formatPercent, formatBytes, formatBytesPerSecond]) {
      expect(format(null)).toBe('no data');
      expect(format(Number.NaN)).toBe('no data');
    }
  });
});

describe('YAML colours', () => {
  it.each([
    ['  host: payments', ['key:host', 'text:payments']],
    ['- weight: 90 # by the slider', ['key:weight', 'number:90', 'comment:# by the slider']],
    ['apiVersion: networking.istio.io/v1', ['key:apiVersion', 'text:networking.istio.io/v1']],
    ['  exact: "a: b"', ['key:exact', 'text:"a: b"']],
  ])('tells the parts of %j apart', (line, expected) => {
    const tokens = tokenizeYaml(line);
    expect(tokens.filter(({ kind }) => kind !== 'plain').map(({ kind, text }) => `${kind}:${text}`)).toEqual(expected);
    expect(tokens.map(({ text }) => text).join('')).toBe(line);
  });
});

describe('validity of a certificate', () => {
  const day = {
    notBefore: '2026-11-21T00:00:00Z',
    notAfter: '2026-11-22T00:00:00Z',
    rotatesAt: '2026-11-21T12:00:00Z',
  };
  it.each([
    ['2026-11-21T06:00:00Z', 25, 'valid'],
    ['2026-11-21T18:00:00Z', 75, 'due'],
    ['2026-11-23T00:00:00Z', 100, 'expired'],
    ['2026-11-20T00:00:00Z', 0, 'not yet valid'],
  ])('at %s stands at %i %% and is %s', (now, percent, state) => {
    expect(validityOf(day, Date.parse(now))).toMatchObject({ nowPercent: percent, rotatesPercent: 50, state });
  });
});

describe('encrypted share', () => {
  const live = { wobble: () => 1, delayMs: 0, delayPercent: 0, abortPercent: 0, faultId: null, weights: [] };
  const { edges } = demoTopology(demoWorkloads(true), 0, 1, live);
  it('is weighted by requests', () => {
    const [open] = edges.filter(({ id }) => id === 'caller:browser->web.shop');
    const [closed] = edges.filter(({ id }) => id === 'web.shop->orders.shop');
    expect(encryptedShare([open, closed].flatMap((edge) => edge ?? []))).toBeCloseTo((38 / 99) * 100);
  });
  it('is no data without traffic', () => {
    expect(encryptedShare([])).toBeNull();
  });
});

describe('groups of workloads', () => {
  const workloads = demoWorkloads(true);
  it('puts compose projects first, then plain containers, then host processes', () => {
    const [first] = workloads;
    const host = {
      ...(first as NonNullable<typeof first>),
      id: 'p',
      name: 'api',
      runtime: 'process' as const,
      project: null,
    };
    expect(groupWorkloads([host, ...workloads], '').map(({ title }) => title)).toEqual([
      'shop',
      'Containers without a compose project',
      'Host processes',
    ]);
  });
  it('finds by several words in any field', () => {
    const found = groupWorkloads(workloads, 'payments v2').flatMap(({ workloads: list }) =>
      list.map(({ name }) => name),
    );
    expect(found).toEqual(['shop-payments-v2-1']);
    expect(
      groupWorkloads(workloads, '5432').flatMap(({ workloads: list }) => list.map(({ service }) => service)),
    ).toEqual(['postgres']);
    expect(groupWorkloads(workloads, 'nothing like it')).toEqual([]);
  });
});

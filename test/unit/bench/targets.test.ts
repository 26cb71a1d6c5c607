import { describe, expect, it } from 'vitest';
import { type BenchResult, median, quantile } from '../../bench/result.ts';
import { judge } from '../../bench/targets.ts';

const hop = (program: string, requestsPerSecond: number, changes: Partial<BenchResult> = {}): BenchResult => ({
  case: 'plain-hop',
  program,
  rounds: 4,
  connections: 32,
  sizeBytes: 1_024,
  requestsPerSecond,
  ...changes,
});

describe('judge', () => {
  it('compares the rates of one run with the target', () => {
    expect(judge([hop('nginx', 40_000), hop('meshdesk', 30_000)])).toEqual([
      { what: 'plain hop to nginx, 32 connections', target: '>= 1', figure: 0.75, met: false, uncertain: false },
    ]);
    expect(judge([hop('nginx', 40_000), hop('meshdesk', 40_000)])[0]?.met).toBe(true);
  });

  it('leaves out what was not measured, and other sizes', () => {
    expect(judge([hop('meshdesk', 30_000)])).toEqual([]);
    expect(judge([hop('nginx', 1), hop('meshdesk', 1, { sizeBytes: 65_536 })])).toEqual([]);
  });

  it('takes the better of two peers where the target says so', () => {
    const pair = (program: string, rate: number) => hop(program, rate, { case: 'mtls-pair' });
    const verdicts = judge([pair('envoy', 10_000), pair('envoy-h2', 20_000), pair('meshdesk', 30_000)]);
    expect(verdicts.map(({ figure, met }) => [figure, met])).toEqual([[1.5, false]]);
  });

  it('is uncertain when most rounds of either program were disturbed', () => {
    const verdicts = judge([hop('nginx', 40_000, { disturbed: 3 }), hop('meshdesk', 50_000, { disturbed: 0 })]);
    expect(verdicts[0]).toMatchObject({ met: true, uncertain: true });
  });

  it('takes the memory of one sidecar as half that of the pair', () => {
    const row = hop('meshdesk', 1_000, { case: 'constant-rate', ratePerSecond: 1_000, rssMb: 110, cpuPercent: 7 });
    expect(judge([row]).map(({ figure, met }) => [figure, met])).toEqual([
      [0.07, false],
      [55, true],
    ]);
  });
});

describe('median and quantile', () => {
  it('lie between neighbours', () => {
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(quantile([0, 10], 0.25)).toBe(2.5);
    expect(median([])).toBeNaN();
  });
});

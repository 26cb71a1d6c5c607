import { describe, expect, it } from 'vitest';
import { type BenchReport, findRegressions } from '../../bench/history.ts';
import type { BenchResult } from '../../bench/result.ts';

const machine = { cpu: 'a', cores: 2, node: 'v20.20.2' };
const row = (changes: Partial<BenchResult>): BenchResult => ({
  case: 'plain-hop',
  program: 'meshdesk',
  rounds: 5,
  connections: 32,
  sizeBytes: 1_024,
  ratioToNginx: 1,
  ratioSpread: 0.02,
  rssMb: 50,
  ...changes,
});
const report = (results: BenchResult[], changes: Partial<BenchReport> = {}): BenchReport => ({
  startedAt: '2026-11-21T00:00:00.000Z',
  machine,
  results,
  ...changes,
});

describe('findRegressions', () => {
  it('names a rate that fell by more than the rounds differ', () => {
    const found = findRegressions(report([row({ ratioToNginx: 0.8 })]), [report([row({})])]);
    expect(found).toEqual(["plain-hop 32/1024: 0.8 of nginx's rate, 1 before"]);
  });

  it('takes a fall within the spread of the rounds for noise', () => {
    const noisy = row({ ratioToNginx: 0.8, ratioSpread: 0.15 });
    expect(findRegressions(report([noisy]), [report([row({})])])).toEqual([]);
  });

  it('says nothing about rates that were taken while the machine was busy', () => {
    const busy = row({ ratioToNginx: 0.2, disturbed: 4 });
    expect(findRegressions(report([busy]), [report([row({})])])).toEqual([]);
    expect(findRegressions(report([row({ ratioToNginx: 0.2 })]), [report([row({ disturbed: 5 })])])).toEqual([]);
  });

  it('names memory that grew', () => {
    expect(findRegressions(report([row({ rssMb: 70 })]), [report([row({})])])).toEqual([
      'plain-hop 32/1024: 70 MB, 50 MB before',
    ]);
  });

  it('compares with the last run that has the row, on the same machine only', () => {
    const elsewhere = report([row({ ratioToNginx: 3 })], { machine: { ...machine, cores: 8 } });
    const history = [report([row({ ratioToNginx: 2 })]), report([row({})]), report([]), elsewhere];
    expect(findRegressions(report([row({ ratioToNginx: 0.95 })]), history)).toEqual([]);
  });

  it('says nothing about other programs, other loads and what got better', () => {
    const now = [row({ program: 'nginx', rssMb: 500 }), row({ connections: 8, ratioToNginx: 0.1 }), row({ rssMb: 20 })];
    expect(findRegressions(report(now), [report([row({}), row({ program: 'nginx' })])])).toEqual([]);
  });
});

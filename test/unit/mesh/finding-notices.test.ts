import { describe, expect, it } from 'vitest';
import { FindingNotices, toConfigurationChecks } from '../../../core/control-plane/mesh/finding-notices.ts';
import type { Finding } from '../../../core/model/finding.ts';

const finding = (changes: Partial<Finding> = {}): Finding => ({
  code: 'UNKNOWN_SUBSET',
  severity: 'warning',
  file: null,
  line: null,
  column: null,
  message: 'payments has no subset v3.',
  hint: 'Its versions are v1 and v2.',
  ...changes,
});

describe('findings of the configuration', () => {
  it('are told once while they last, and again when they come back', () => {
    const told: unknown[] = [];
    const notices = new FindingNotices((notice) => told.push(notice));
    notices.update([finding()]);
    notices.update([finding()]);
    expect(told).toEqual([
      { level: 'warn', code: 'UNKNOWN_SUBSET', message: 'payments has no subset v3. Its versions are v1 and v2.' },
    ]);
    notices.update([]);
    notices.update([finding()]);
    expect(told).toHaveLength(2);
  });

  it('are errors when the resource is not used, and silent when they are information', () => {
    const told: string[] = [];
    const notices = new FindingNotices(({ level }) => told.push(level));
    notices.update([finding({ severity: 'error' }), finding({ severity: 'info', message: 'kept' })]);
    expect(told).toEqual(['error']);
  });

  it('are checks of the doctor', () => {
    expect(toConfigurationChecks([finding(), finding({ severity: 'info' })])).toEqual([
      {
        name: 'configuration',
        status: 'warn',
        message: 'payments has no subset v3.',
        fix: 'Its versions are v1 and v2.',
      },
    ]);
    expect(toConfigurationChecks([])).toMatchObject([{ status: 'ok' }]);
  });
});

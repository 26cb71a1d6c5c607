import { describe, expect, it } from 'vitest';
import { contract } from '../../../core/contract/contract.ts';
import {
  canEdit,
  checkForm,
  type FaultForm,
  toForm,
  toInput,
  valuesOf,
} from '../../../renderer/features/faults/fault-form.ts';
import { type FaultSpec, faultKind, faultKinds } from '../../../renderer/features/faults/fault-kinds.ts';

const draft = { from: 'orders.shop', to: 'payments.shop' };
const form = (change: Partial<FaultForm>): FaultForm => ({ ...toForm(draft), ...change });
const kind = (name: string, values: Record<string, string> = {}): Partial<FaultForm> => {
  const initial = valuesOf(faultKind(name));
  return { kind: name, values: { ...initial.values, ...values } };
};
/** What the contract makes of an input. */
const parsed = (valid: FaultForm, from = {}) =>
  contract['fault.set'].input.parse(toInput(valid, { ...draft, ...from }));

describe('fault form', () => {
  it('starts with a delay of 400 ms for 30 % over 60 s', () => {
    expect(toForm(draft)).toMatchObject({
      ...{ kind: 'delay', values: { delayMs: '400' }, percent: '30', durationSeconds: '60' },
    });
    expect(checkForm(toForm(draft))).toEqual({});
  });

  it.each([
    [{ to: '' }, 'to'],
    [{ to: 'orders.shop' }, 'to'],
    [kind('delay', { delayMs: '0' }), 'delayMs'],
    [kind('delay', { delayMs: '1.5' }), 'delayMs'],
    [kind('delay', { delayMs: '' }), 'delayMs'],
    [kind('abort', { httpStatus: '199' }), 'httpStatus'],
    [kind('abort', { httpStatus: '600' }), 'httpStatus'],
    [kind('replace'), 'find'],
    [kind('tcp-slicer', { averageBytes: '0' }), 'averageBytes'],
    [{ percent: '101' }, 'percent'],
    [{ percent: '' }, 'percent'],
    [{ percent: 'x' }, 'percent'],
    [{ durationSeconds: '0' }, 'durationSeconds'],
    [{ durationSeconds: '-3' }, 'durationSeconds'],
    [{ trigger: 'first', count: '0' }, 'count'],
    [{ trigger: 'window', windowFrom: '9', windowUntil: '9' }, 'windowUntil'],
    [{ onSeconds: '5' }, 'offSeconds'],
    [{ port: '0' }, 'port'],
    [{ seed: 'x' }, 'seed'],
  ] as [Partial<FaultForm>, string][])('refuses %j and names the field', (change, field) => {
    expect(Object.keys(checkForm(form(change)))).toEqual([field]);
  });

  it.each([
    form({}),
    form({ from: '' }),
    form({ ...kind('abort'), percent: '12.5', durationSeconds: '' }),
    form({ trigger: 'every', count: '3', onSeconds: '10', offSeconds: '0.5', port: '80', path: '/api', seed: '-4' }),
    form({ trigger: 'window', windowFrom: '0', windowUntil: '5' }),
    form({ trigger: 'retries' }),
  ])('makes an input that the contract takes, and shows what it has made', (valid) => {
    expect(checkForm(valid)).toEqual({});
    const input = parsed(valid);
    expect(input.enabled).toBe(true);
    expect('spec' in input && canEdit(input.spec)).toBe(true);
  });

  it.each(faultKinds.map(({ name }) => name))('makes a fault of kind %s that it can show again', (name) => {
    const texts = { find: 'a', request: 'x-a: 1\n-x-b', text: 'b' };
    const { values = {} } = kind(name);
    const filled = Object.fromEntries(
      Object.entries(values).map(([field, value]) => [field, value === '' ? (texts[field as 'find'] ?? '') : value]),
    );
    const valid = form({ kind: name, values: filled, percent: '100' });
    expect(checkForm(valid)).toEqual({});
    const input = parsed(valid);
    const spec: FaultSpec | null = 'spec' in input ? input.spec : null;
    expect(spec !== null && canEdit(spec)).toBe(true);
    expect(toForm({ ...draft, ...(spec === null ? {} : { spec }) })).toMatchObject({ kind: name, values: filled });
  });

  it('reads an empty source as every caller and an empty duration as until cleared', () => {
    const input = parsed(form({ from: '', durationSeconds: '' }));
    expect('spec' in input && ['from' in input.spec, 'duration' in input.spec]).toEqual([false, false]);
  });

  it('keeps id and route of the fault that is changed', () => {
    const spec: FaultSpec = {
      ...{ from: draft.from, to: draft.to, route: 'charge', seed: 7, duration: '1m' },
      fault: { abort: { percentage: { value: 5 }, httpStatus: 418 } },
    };
    const changed = { ...draft, id: 'f1', route: 'charge', spec };
    expect(canEdit(spec)).toBe(true);
    expect(toInput(toForm(changed), changed)).toEqual({ id: 'f1', enabled: true, spec: { ...spec, duration: '60s' } });
  });

  it('does not change what it cannot show', () => {
    const fault = { abort: { percentage: { value: 5 }, httpStatus: 418, body: 'tea' } };
    expect(canEdit({ ...draft, fault })).toBe(false);
  });
});

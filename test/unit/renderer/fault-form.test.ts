import { describe, expect, it } from 'vitest';
import { contract } from '../../../core/contract/contract.ts';
import { checkForm, type FaultForm, toForm, toInput } from '../../../renderer/features/faults/fault-form.ts';

const draft = { from: 'orders.shop', to: 'payments.shop' };
const form = (change: Partial<FaultForm>): FaultForm => ({ ...toForm(draft), ...change });

describe('fault form', () => {
  it('starts with a delay of 400 ms for 30 % over 60 s', () => {
    expect(toForm(draft)).toMatchObject({ kind: 'delay', delayMs: '400', percent: '30', durationSeconds: '60' });
    expect(checkForm(toForm(draft))).toEqual({});
  });

  it.each([
    [{ to: '' }, 'to'],
    [{ to: 'orders.shop' }, 'to'],
    [{ delayMs: '0' }, 'delayMs'],
    [{ delayMs: '1.5' }, 'delayMs'],
    [{ delayMs: '' }, 'delayMs'],
    [{ kind: 'abort' as const, httpStatus: '199' }, 'httpStatus'],
    [{ kind: 'abort' as const, httpStatus: '600' }, 'httpStatus'],
    [{ percent: '101' }, 'percent'],
    [{ percent: '' }, 'percent'],
    [{ percent: 'x' }, 'percent'],
    [{ durationSeconds: '0' }, 'durationSeconds'],
    [{ durationSeconds: '-3' }, 'durationSeconds'],
  ])('refuses %j and names the field', (change, field) => {
    expect(Object.keys(checkForm(form(change)))).toEqual([field]);
  });

  it('does not ask for the strength of the kind that is not chosen', () => {
    expect(checkForm(form({ kind: 'abort', delayMs: '' }))).toEqual({});
  });

  it.each([
    form({}),
    form({ from: '' }),
    form({ kind: 'abort', httpStatus: '503', percent: '12.5', durationSeconds: '' }),
  ])('makes an input that the contract takes', (valid) => {
    const input = toInput(valid, draft);
    expect(contract['fault.set'].input.safeParse(input).success).toBe(true);
    expect(input.enabled).toBe(true);
  });

  it('reads an empty source as every caller and an empty duration as until cleared', () => {
    expect(toInput(form({ from: '', durationSeconds: '' }), draft)).toMatchObject({ from: null, durationMs: null });
  });

  it('keeps id and route of the fault that is changed', () => {
    const changed = {
      ...draft,
      id: 'f1',
      route: 'charge',
      kind: 'abort' as const,
      strength: 418,
      percent: 5,
      durationMs: null,
    };
    expect(toInput(toForm(changed), changed)).toMatchObject({
      id: 'f1',
      route: 'charge',
      action: { kind: 'abort', httpStatus: 418 },
      percent: 5,
      durationMs: null,
    });
  });
});

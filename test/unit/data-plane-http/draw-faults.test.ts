import { describe, expect, it } from 'vitest';
import { compileInjections, type HttpAction } from '../../../core/data-plane/faults/injection-set.ts';
import { drawFaults, isStillOn } from '../../../core/data-plane/http/draw-faults.ts';
import { rewriteBody, withoutOriginal } from '../../../core/data-plane/http/rewritten-body.ts';
import type { InjectionConfig } from '../../../core/model/injection-config.ts';
import { abort, fixedDelay, httpFault } from '../../support/fault-shop.ts';
import { request } from '../policy/request.ts';

const draw = (faults: readonly InjectionConfig[], layer: 'request' | 'attempt' = 'attempt', attempt = 0) => {
  const counted: [string, boolean][] = [];
  const set = compileInjections(faults);
  const moment = { layer, nowMs: Date.now(), attempt };
  const drawn = drawFaults(set.of('shop.shop').http, request({}), moment, {
    faultSeen: (id, hit) => counted.push([id, hit]),
  });
  return { drawn, counted, set };
};
const cut = (afterBytes: number): HttpAction => ({ kind: 'truncate', afterBytes });
const rate = (bytesPerSecond: number): HttpAction => ({ kind: 'response-bandwidth', bytesPerSecond });

describe('drawing faults', () => {
  it('adds delays up, takes the first abort, the least of what limits a body', () => {
    const { drawn, counted } = draw([
      httpFault(fixedDelay(100), { id: 'a' }),
      httpFault(abort(503), { id: 'b' }),
      httpFault(fixedDelay(50), { id: 'c' }),
      httpFault(abort(404), { id: 'd' }),
      httpFault(cut(500), { id: 'e' }),
      httpFault(cut(100), { id: 'f' }),
      httpFault(rate(9), { id: 'g' }),
      httpFault(rate(10), { id: 'h' }),
    ]);
    expect(drawn).toMatchObject({ delayMs: 150, abort: { httpStatus: 503 } });
    expect(drawn?.response).toEqual({ bytesPerSecond: 9, cutAfterBytes: 100, body: [] });
    expect(counted.map(([id]) => id).join('')).toBe('abcdefgh');
  });

  it('looks at one layer, and counts what does not hit as well', () => {
    const faults = [
      httpFault(abort(503), { id: 'router', layer: 'request' }),
      httpFault(abort(503), { id: 'never', percent: 0 }),
    ];
    expect(draw(faults)).toMatchObject({ drawn: null, counted: [['never', false]] });
    expect(draw(faults, 'request').counted).toEqual([['router', true]]);
  });

  it('does not count requests that a fault is not for', () => {
    const match = [{ uri: { exact: '/elsewhere' } }];
    expect(draw([httpFault(abort(503), { match })])).toMatchObject({ drawn: null, counted: [] });
  });

  it.each([
    [0, null],
    [1, 503],
  ])('of repetitions: try %i gets %s', (attempt, status) => {
    const { drawn } = draw([httpFault(abort(503), { trigger: { kind: 'retries' } })], 'attempt', attempt);
    expect(drawn?.abort?.httpStatus ?? null).toBe(status);
  });

  it('knows whether one of them is still on', () => {
    const { drawn, set } = draw([httpFault(abort(503), { expiresAtMs: Date.now() + 1_000_000 })]);
    if (drawn === null) throw new Error('nothing was hit');
    expect(isStillOn(drawn, set, Date.now())).toBe(true);
    expect(isStillOn(drawn, set, Date.now() + 1_000_001)).toBe(false);
    expect(isStillOn(drawn, compileInjections([]), Date.now())).toBe(false);
  });
});

describe('a changed body', () => {
  const change = (set: string | null, ...replace: [string, string][]) => ({
    ...{ kind: 'body' as const, set },
    replace: replace.map(([find, by]) => ({ find, with: by })),
  });
  const of = (text: string, ...changes: ReturnType<typeof change>[]) =>
    rewriteBody(Buffer.from(text), changes).toString();

  it.each([
    [of('aba', change(null, ['a', 'ä'])), 'äbä'],
    [of('für', change(null, ['ü', 'ue'])), 'fuer'],
    [of('a.b', change(null, ['.', '$1'])), 'a$1b'],
    [of('a', change('b'), change(null, ['b', 'c'])), 'c'],
    [of('a', change(null, ['a', 'b']), change('x')), 'x'],
  ])('%s', (actual, expected) => {
    expect(actual).toBe(expected);
  });

  it('keeps octets that are no text', () => {
    const octets = Buffer.from([0, 255, 97, 128]);
    expect(rewriteBody(octets, [change(null, ['a', 'bc'])])).toEqual(Buffer.from([0, 255, 98, 99, 128]));
  });

  it('needs the original unless something replaces all of it', () => {
    const [part, whole] = [change(null, ['a', 'b']), change('x')];
    expect(withoutOriginal([part])).toBeNull();
    expect(withoutOriginal([part, whole, part])).toEqual([whole, part]);
  });
});

import { expect, test } from 'vitest';
import { IdleTime } from '../../../core/data-plane/http/idle-time.ts';

test('is over after so long without a request, whether one was seen under way or has come and gone in between', () => {
  const idle = new IdleTime(1_000, 0);
  expect(idle.isOver(900, false, 0)).toBe(false);
  expect(idle.isOver(1_900, true, 1)).toBe(false);
  expect(idle.isOver(2_800, false, 1)).toBe(false);
  expect(idle.isOver(3_700, false, 5)).toBe(false);
  expect(idle.isOver(4_699, false, 5)).toBe(false);
  expect([idle.isOver(4_700, false, 5), idle.isOver(4_800, false, 5)]).toEqual([true, true]);
});

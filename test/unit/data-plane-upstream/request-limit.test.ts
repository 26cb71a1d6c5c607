import { expect, test } from 'vitest';
import { RequestLimit } from '../../../core/data-plane/upstream/request-limit.ts';

test('a server that refuses is sent no more than it has taken, and more again when all is well for long', () => {
  const limit = new RequestLimit();
  limit.carried();
  expect(limit.most).toBe(Number.POSITIVE_INFINITY);
  limit.refusedAfter(40);
  limit.refusedAfter(100);
  expect(limit.most).toBe(40);
  limit.refusedAfter(0);
  expect(limit.most).toBe(1);
  for (let count = 0; count < 15; count += 1) limit.carried();
  expect(limit.most).toBe(1);
  limit.carried();
  expect(limit.most).toBe(2);
  for (let count = 0; count < 15; count += 1) limit.carried();
  limit.refusedAfter(2);
  limit.carried();
  expect(limit.most).toBe(2);
  for (let count = 0; count < 16 * 20; count += 1) limit.carried();
  expect(limit.most).toBe(Number.POSITIVE_INFINITY);
});

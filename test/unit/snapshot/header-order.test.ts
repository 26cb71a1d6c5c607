import { describe, expect, it } from 'vitest';
import { configOf, meshOf, routes, serviceIn, shop } from './mesh-of.ts';

const first = (rule: string) =>
  serviceIn(configOf(meshOf(shop(), routes(`[{ ${rule} }]`)), 'web'), 'payments.shop').routes[0];
const ofRoute = 'headers: { request: { set: { x-a: route, x-b: route }, add: { x-c: route } } }';
const destination =
  'destination: { host: payments }, headers: { request: { set: { x-a: dst }, add: { x-c: dst }, remove: [x-b] } }';

describe('header changes', () => {
  it('of a route and its only destination are one list', () => {
    const route = first(`${ofRoute}, route: [{ ${destination} }]`);
    expect(route?.headers?.request).toEqual({
      remove: ['x-b'],
      set: [
        ['x-a', 'route'],
        ['x-b', 'route'],
        ['x-a', 'dst'],
      ],
      add: [
        ['x-c', 'route'],
        ['x-c', 'dst'],
      ],
    });
    expect(route?.destinations[0]?.headers).toBeUndefined();
  });

  it('of a destination set the authority where the route does not', () => {
    const other = '{ destination: { host: payments }, weight: 1, headers: { request: { set: { host: other } } } }';
    const plain = '{ destination: { host: payments }, weight: 1 }';
    const several = first(`route: [${other}, ${plain}]`);
    expect(several?.destinations.map(({ headers }) => headers?.request?.set)).toEqual([[['host', 'other']], undefined]);
    expect(first(`route: [${other}]`)?.rewrite).toEqual({ authority: 'other' });
  });

  it('of several destinations are their own', () => {
    const route = first(
      `${ofRoute}, route: [{ ${destination}, weight: 1 }, { destination: { host: payments }, weight: 1 }]`,
    );
    expect(route?.headers?.request?.add).toEqual([['x-c', 'route']]);
    expect(route?.destinations.map(({ headers }) => headers?.request)).toEqual([
      { remove: ['x-b'], set: [['x-a', 'dst']], add: [['x-c', 'dst']] },
      undefined,
    ]);
  });

  it.each(['host', 'Host', ':authority'])('of %s rewrite the authority', (name) => {
    const route = first(
      `headers: { request: { set: { "${name}": other, x-a: "1" } } }, route: [{ destination: { host: payments } }]`,
    );
    expect(route?.rewrite).toEqual({ authority: 'other' });
    expect(route?.headers?.request?.set).toEqual([['x-a', '1']]);
  });
});

import { describe, expect, it } from 'vitest';
import type { Topology, TopologyNode } from '../../../core/contract/shapes.ts';
import { findInTopology } from '../../../renderer/features/topology/filter-topology.ts';
import { FlowItems } from '../../../renderer/features/topology/flow-items.ts';
import { placeLabels } from '../../../renderer/features/topology/labels.ts';
import { boxesOf, nodeSize, type Positions, placeNew, presentOf } from '../../../renderer/features/topology/layout.ts';
import { demoTopology, demoWorkloads } from '../../support/fake-mesh-data.ts';

const topology = demoTopology(demoWorkloads(true), 1_000, 1, {
  wobble: () => 1,
  delayMs: 400,
  delayPercent: 30,
  abortPercent: 0,
  faultId: 'f1',
  weights: [
    { subset: 'v1', weight: 90 },
    { subset: 'v2', weight: 10 },
  ],
});

const node = (id: string, project: string | null = 'shop'): TopologyNode => ({
  id,
  kind: 'service',
  service: id,
  namespace: 'shop',
  project,
  versions: [],
  workloads: [],
  mesh: 'attached',
  requestsPerSecond: null,
  errorPercent: null,
  p95Ms: null,
  tcp: null,
});

const overlap = (positions: Positions) => {
  const points = Object.values(positions);
  return points.some((a, i) =>
    points.some((b, j) => i < j && Math.abs(a.x - b.x) < nodeSize.width && Math.abs(a.y - b.y) < nodeSize.height),
  );
};

describe('find in the graph', () => {
  const edges = (text: string) => [...(findInTopology(topology, text)?.edges ?? [])].sort();

  it('finds everything without a filter', () => {
    expect(findInTopology(topology, '  ')).toBeNull();
  });

  it('compares figures', () => {
    expect(edges('rps > 40')).toEqual(['caller:browser->web.shop', 'web.shop->catalog.shop']);
    expect(edges('p95 >= 400')).toEqual(['orders.shop->payments.shop']);
  });

  it('joins terms with and, negates with not', () => {
    expect(edges('rps > 5 and not mtls')).toEqual(['caller:browser->web.shop', 'web.shop->catalog.shop']);
    expect(edges('tcp and mtls')).toEqual(['catalog.shop->redis.shop', 'orders.shop->postgres.shop']);
    expect(edges('fault')).toEqual(['orders.shop->payments.shop']);
    expect(edges('split')).toEqual(['orders.shop->payments.shop']);
  });

  it('looks other words up in names, also of nodes without edges', () => {
    expect(edges('redis')).toEqual(['catalog.shop->redis.shop']);
    const lonely = { ...topology, nodes: [...topology.nodes, node('lonely')] };
    expect([...(findInTopology(lonely, 'lonely')?.nodes ?? [])]).toEqual(['lonely']);
  });

  it('does not compare what has no figure', () => {
    expect(edges('rps < 1000')).not.toContain('catalog.shop->redis.shop');
  });

  it('ignores a comparison that is only half typed', () => {
    expect(edges('rps >')).toHaveLength(topology.edges.length);
  });
});

describe('placement of new nodes', () => {
  it('leaves every known node where it is', () => {
    const known = { a: { x: 0, y: 0 }, b: { x: 300, y: 0 } };
    const placed = placeNew(known, { nodes: [node('a'), node('b'), node('c')], edges: [] });
    expect(placed.a).toBe(known.a);
    expect(placed.b).toBe(known.b);
    expect(placed.c).toBeDefined();
  });

  it('places a called service right of its caller', () => {
    const edge = { ...(topology.edges[0] as Topology['edges'][number]), id: 'a->b', from: 'a', to: 'b' };
    const placed = placeNew({ a: { x: 10, y: 20 } }, { nodes: [node('a'), node('b')], edges: [edge] });
    expect(placed.b?.x).toBeGreaterThan(10 + nodeSize.width);
    expect(placed.b?.y).toBe(20);
  });

  it('forgets nodes that are gone', () => {
    expect(
      Object.keys(placeNew({ a: { x: 0, y: 0 }, old: { x: 1, y: 1 } }, { nodes: [node('a')], edges: [] })),
    ).toEqual(['a']);
  });

  it('never puts two nodes on top of each other, 500 of them', () => {
    const many = Array.from({ length: 500 }, (_, place) => node(`s${place}`, `p${place % 7}`));
    const placed = placeNew({}, { nodes: many, edges: [] });
    expect(Object.keys(placed)).toHaveLength(500);
    expect(overlap(placed)).toBe(false);
  });

  it('draws a box around each project', () => {
    const boxes = boxesOf([node('a'), node('b'), node('x', null)], {
      a: { x: 0, y: 0 },
      b: { x: 300, y: 100 },
      x: { x: -900, y: 0 },
    });
    expect(boxes).toHaveLength(1);
    expect(boxes[0]?.x).toBeLessThan(0);
    expect((boxes[0]?.x ?? 0) + (boxes[0]?.width ?? 0)).toBeGreaterThan(300 + nodeSize.width);
  });
});

describe('labels of edges', () => {
  it('stand clear of each other and of nodes, level and steep edges alike', () => {
    const [first] = topology.edges;
    if (!first) throw new Error('the demo mesh has edges');
    const link = (from: string, to: string) => ({ ...first, id: `${from}->${to}`, from, to, badges: [] });
    const edges = [link('a', 'b'), link('a', 'c'), link('d', 'c'), link('a', 'e'), link('d', 'e')];
    const right = nodeSize.width + 74;
    const positions = {
      a: { x: 0, y: 100 },
      b: { x: right, y: 0 },
      c: { x: right, y: 100 },
      d: { x: 0, y: 200 },
      e: { x: right, y: 200 },
    };
    const labels = Object.values(placeLabels(edges, positions));
    expect(labels).toHaveLength(edges.length);
    const covered = labels.some((one, i) =>
      labels.some((two, j) => i < j && Math.abs(one.x - two.x) < 90 && Math.abs(one.y - two.y) < 18),
    );
    expect(covered).toBe(false);
  });

  it('do not move when only figures change', () => {
    const positions = placeNew({}, topology);
    const busy = topology.edges.map((edge) => ({ ...edge, requestsPerSecond: 12_345, errorPercent: 50 }));
    expect(placeLabels(busy, positions)).toEqual(placeLabels(topology.edges, positions));
  });
});

describe('items of the canvas', () => {
  const options = { metric: 'p95' as const, selected: null, found: null };
  const positions = placeNew({}, topology);

  it('keeps the identity of what looks the same', () => {
    const items = new FlowItems();
    const first = items.nodes(topology, positions, options);
    const again = items.nodes(
      { ...topology, atMs: 2_000, nodes: topology.nodes.map((one) => ({ ...one })) },
      positions,
      options,
    );
    expect(again.every((item, place) => item === first[place])).toBe(true);
    expect(items.edges(topology, positions, options)).toEqual(items.edges(topology, positions, options));
  });

  it('draws again only what changed', () => {
    const items = new FlowItems();
    const first = items.nodes(topology, positions, options);
    const nodes = topology.nodes.map((one) => (one.id === 'orders.shop' ? { ...one, requestsPerSecond: 99 } : one));
    const again = items.nodes({ ...topology, nodes }, positions, options);
    const changed = again.filter((item, place) => item !== first[place]).map(({ id }) => id);
    expect(changed).toEqual(['orders.shop']);
  });

  it('draws nothing again for figures that are too small to be read', () => {
    const items = new FlowItems();
    const coarse = { ...options, coarse: true };
    const first = [...items.nodes(topology, positions, coarse), ...items.edges(topology, positions, coarse)];
    const busier = {
      ...topology,
      nodes: topology.nodes.map((one) => ({
        ...one,
        requestsPerSecond: one.requestsPerSecond && one.requestsPerSecond * 1.02,
      })),
      edges: topology.edges.map((one) => ({ ...one, p95Ms: one.p95Ms && one.p95Ms * 1.1 })),
    };
    const again = [...items.nodes(busier, positions, coarse), ...items.edges(busier, positions, coarse)];
    expect(again.every((item, place) => item === first[place])).toBe(true);
  });

  it('says in words what an edge shows', () => {
    const edge = new FlowItems()
      .edges(topology, positions, options)
      .find(({ id }) => id === 'orders.shop->payments.shop');
    expect(edge?.data?.label).toBe('orders to payments: 36/s · 415 ms, mutual TLS, fault 30 %, split 10');
    expect(edge?.data?.tone).toBe('fault');
  });

  it('is fitted and labelled by what is there, not by what has gone', () => {
    const places = { a: { x: 0, y: 0 }, gone: { x: 9_000, y: 9_000 } };
    expect(presentOf([node('a'), node('new')], places)).toEqual({ a: { x: 0, y: 0 } });
  });

  it('says what a service sends that nobody calls', () => {
    const [edge] = topology.edges;
    if (!edge) throw new Error('the demo has no edge');
    const caller = { ...topology, nodes: [node('a'), node('b')], edges: [{ ...edge, from: 'a', to: 'b' }] };
    const [, item] = new FlowItems().nodes(caller, { a: { x: 0, y: 0 }, b: { x: 300, y: 0 } }, options);
    expect(item?.data).toMatchObject({ line: 'sends 61/s', errorPercent: null });
  });

  it('shows no data instead of zero for a service without traffic', () => {
    const idle = { ...topology, nodes: [node('idle')], edges: [] };
    const [, item] = new FlowItems().nodes(idle, { idle: { x: 0, y: 0 } }, options);
    expect(item?.data).toMatchObject({ line: 'no traffic', errorPercent: null });
  });
});

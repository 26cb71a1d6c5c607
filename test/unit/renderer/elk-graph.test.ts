import Elk from 'elkjs/lib/elk.bundled.js';
import { describe, expect, it } from 'vitest';
import type { Topology } from '../../../core/contract/shapes.ts';
import { toElkGraph, toPositions } from '../../../renderer/features/topology/elk-graph.ts';
import { boxesOf, nodeSize } from '../../../renderer/features/topology/layout.ts';
import { fitOf, packParts, withinProjects } from '../../../renderer/features/topology/pack.ts';
import { demoTopology, demoWorkloads, largeTopology } from '../../support/fake-mesh-data.ts';

const demo = demoTopology(demoWorkloads(true), 0, 1, {
  wobble: () => 1,
  delayMs: 0,
  delayPercent: 0,
  abortPercent: 0,
  faultId: null,
  weights: [],
});

const layout = async (topology: Pick<Topology, 'nodes' | 'edges'>) =>
  toPositions(await new Elk().layout(toElkGraph(topology)));

describe('full layout', () => {
  it('puts callers left of what they call and nothing on top of each other', async () => {
    const positions = await layout(demo);
    expect(Object.keys(positions).sort()).toEqual(demo.nodes.map(({ id }) => id).sort());
    for (const { from, to } of demo.edges) expect(positions[from]?.x).toBeLessThan(positions[to]?.x ?? 0);
    const points = Object.values(positions);
    const close = points.some((a, i) =>
      points.some((b, j) => i < j && Math.abs(a.x - b.x) < nodeSize.width && Math.abs(a.y - b.y) < nodeSize.height),
    );
    expect(close).toBe(false);
  });

  it('keeps what is outside of a project out of its box, also with a caller that enters deep', async () => {
    const [edge] = demo.edges;
    if (!edge) throw new Error('the demo mesh has edges');
    const deep = { ...edge, id: 'caller:browser->redis.shop', from: 'caller:browser', to: 'redis.shop' };
    const topology = { nodes: demo.nodes, edges: [...demo.edges, deep] };
    const positions = await layout(topology);
    const [box] = boxesOf(topology.nodes, positions);
    expect(box?.x).toBeGreaterThan((positions['caller:browser']?.x ?? 0) + nodeSize.width);
  });

  it('gives the same layout whatever order the nodes come in', async () => {
    const reversed = { nodes: [...demo.nodes].reverse(), edges: [...demo.edges].reverse() };
    expect(await layout(reversed)).toEqual(await layout(demo));
  });

  it('survives edges whose nodes are not known yet, loops and circles', async () => {
    const [edge] = demo.edges;
    if (!edge) throw new Error('the demo mesh has edges');
    const odd = (from: string, to: string) => ({ ...edge, id: `${from}->${to}`, from, to });
    const topology = {
      nodes: demo.nodes,
      edges: [...demo.edges, odd('ghost', 'web.shop'), odd('web.shop', 'web.shop'), odd('payments.shop', 'web.shop')],
    };
    expect(Object.keys(await layout(topology))).toHaveLength(demo.nodes.length);
  });
});

describe('packing of parts', () => {
  it('leaves a graph in one part alone', async () => {
    const positions = await layout(demo);
    expect(packParts(positions, demo)).toBe(positions);
  });

  it('sets many projects in rows that fill a window, none over another', async () => {
    const many = largeTopology(200, 0, () => 1);
    const packed = packParts(await layout(many), many);
    expect(Object.keys(packed)).toHaveLength(200);
    const boxes = boxesOf(many.nodes, packed);
    const covered = boxes.some((a, i) =>
      boxes.some(
        (b, j) => i < j && a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height,
      ),
    );
    expect(covered).toBe(false);
    const width = Math.max(...boxes.map((box) => box.x + box.width));
    const height = Math.max(...boxes.map((box) => box.y + box.height));
    expect(width / height).toBeGreaterThan(0.8);
    expect(width / height).toBeLessThan(3.2);
  });

  it('sets projects that call each other in a row apart, and leaves their inner order', async () => {
    const [first] = demo.nodes.filter(({ kind }) => kind === 'service');
    const [edge] = demo.edges;
    if (!first || !edge) throw new Error('the demo mesh is empty');
    const ids = Array.from({ length: 12 }, (_, project) => ['a', 'b', 'c'].map((name) => `${name}${project}`));
    const nodes = ids.flatMap((names, project) => names.map((id) => ({ ...first, id, project: `p${project}` })));
    const chain = ids.flat();
    const edges = chain.slice(1).map((to, at) => ({ ...edge, id: `${chain[at]}->${to}`, from: chain[at] ?? '', to }));
    const whole = { nodes, edges };
    const apart = withinProjects(whole);
    expect(apart?.edges).toHaveLength(12 * 2);
    const packed = packParts(await layout(apart ?? whole), apart ?? whole);
    expect(fitOf(packed, whole)).toBeGreaterThan(3 * fitOf(await layout(whole), whole));
    for (const { from, to } of apart?.edges ?? []) expect(packed[from]?.x).toBeLessThan(packed[to]?.x ?? 0);
  });

  it('sets nothing apart where there is one project, and keeps a caller with the only project that it calls', () => {
    expect(withinProjects(demo)).toBeNull();
    const [service] = demo.nodes.filter(({ project }) => project === 'shop');
    const [edge] = demo.edges;
    if (!service || !edge) throw new Error('the demo mesh is empty');
    const other = { ...service, id: 'other', project: 'other' };
    const lone = { ...service, id: 'lone', project: null };
    const between = { ...edge, id: 'between', from: service.id, to: 'other' };
    const called = { ...edge, id: 'called', from: 'lone', to: 'other' };
    const graph = { nodes: [service, other, lone], edges: [between, called] };
    expect(withinProjects(graph)?.edges).toEqual([called]);
    const both = { ...graph, edges: [...graph.edges, { ...called, id: 'too', to: service.id }] };
    expect(withinProjects(both)?.edges).toEqual([]);
  });
});

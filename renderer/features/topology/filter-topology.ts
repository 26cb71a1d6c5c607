/**
 * The find language of the graph: terms joined by `and`, each may start with `not`.
 * `rps > 5`, `errors >= 1`, `p50|p95|p99 > 100` (ms), `mtls`, `tcp`, `http`, `fault`, `split`; any other word is looked for in names.
 * Pure. A term that is only half typed (`rps >`) is ignored.
 */
import type { Topology, TopologyEdge, TopologyNode } from '../../../core/contract/shapes.ts';

type Test = (edge: TopologyEdge, names: string) => boolean;

const figures: Record<string, (edge: TopologyEdge) => number | null> = {
  rps: (edge) => edge.requestsPerSecond,
  errors: (edge) => edge.errorPercent,
  p50: (edge) => edge.p50Ms,
  p95: (edge) => edge.p95Ms,
  p99: (edge) => edge.p99Ms,
};

const flags: Record<string, (edge: TopologyEdge) => boolean> = {
  mtls: (edge) => edge.mtls === 'closed',
  tcp: (edge) => edge.protocol === 'tcp',
  http: (edge) => edge.protocol === 'http',
  fault: (edge) => edge.badges.some(({ kind }) => kind === 'fault'),
  split: (edge) => edge.badges.some(({ kind }) => kind === 'split'),
};

const comparisons: Record<string, (left: number, right: number) => boolean> = {
  '>': (left, right) => left > right,
  '<': (left, right) => left < right,
  '>=': (left, right) => left >= right,
  '<=': (left, right) => left <= right,
  '=': (left, right) => left === right,
};

export function parseFilter(text: string): Test {
  const terms = text
    .trim()
    .toLowerCase()
    .split(/\s+and\s+|\s*&&\s*/)
    .filter((term) => term !== '' && term !== 'not')
    .map(toTest);
  return (edge, names) => terms.every((term) => term(edge, names));
}

function toTest(term: string): Test {
  if (term.startsWith('not ')) {
    const inner = toTest(term.slice(4).trim());
    return (edge, names) => !inner(edge, names);
  }
  const [, name = '', sign, number] = /^(\w+)\s*(>=|<=|>|<|=)\s*(\d+(?:\.\d+)?)?/.exec(term) ?? [];
  const figure = figures[name];
  const compare = sign ? comparisons[sign] : undefined;
  if (figure && compare) {
    if (number === undefined) return () => true;
    return (edge) => {
      const value = figure(edge);
      return value !== null && compare(value, Number(number));
    };
  }
  const flag = flags[term];
  return flag ? (edge) => flag(edge) : (_edge, names) => names.includes(term);
}

const nameOf = ({ service, namespace, project }: TopologyNode) =>
  `${service} ${namespace ?? ''} ${project ?? ''}`.toLowerCase();

/** Ids of what the filter finds. Without a filter `null`: everything. A node is found with an edge of its own, or by name alone. */
export function findInTopology(topology: Topology, text: string): { nodes: Set<string>; edges: Set<string> } | null {
  if (text.trim() === '') return null;
  const test = parseFilter(text);
  const names = new Map(topology.nodes.map((node) => [node.id, nameOf(node)]));
  const found = topology.edges.filter((edge) =>
    test(edge, `${names.get(edge.from) ?? ''} ${names.get(edge.to) ?? ''}`),
  );
  const nodes = new Set(found.flatMap(({ from, to }) => [from, to]));
  const word = text.trim().toLowerCase();
  for (const [id, name] of names) if (name.includes(word)) nodes.add(id);
  return { nodes, edges: new Set(found.map(({ id }) => id)) };
}

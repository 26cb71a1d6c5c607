/** Topology -> what the canvas draws. An item whose picture did not change keeps its identity, so that it is not drawn again. */
import type { Edge, Node } from '@xyflow/react';
import type { Topology, TopologyEdge, TopologyNode } from '../../../core/contract/shapes.ts';
import { formatBytesPerSecond, formatMs, formatPercent, formatRate, formatRateShort, plural } from '../../ui/format.ts';
import { placeLabels } from './labels.ts';
import { boxesOf, nodeSize, type Point, type Positions, presentOf } from './layout.ts';

export type Metric = 'rate' | 'p95' | 'errors' | 'throughput';

export interface ServiceData extends Record<string, unknown> {
  readonly kind: TopologyNode['kind'];
  readonly title: string;
  readonly line: string;
  readonly mesh: TopologyNode['mesh'];
  readonly tcp: boolean;
  /** Share of requests that failed, 0 to 100; `null` without requests. */
  readonly errorPercent: number | null;
  readonly versions: readonly string[];
  readonly label: string;
  readonly faded: boolean;
}

export interface TrafficData extends Record<string, unknown> {
  readonly from: string;
  readonly to: string;
  readonly tcp: boolean;
  readonly mtls: TopologyEdge['mtls'];
  readonly text: string;
  readonly error: string | null;
  readonly badges: readonly { readonly kind: string; readonly text: string }[];
  readonly tone: 'plain' | 'error' | 'fault';
  /** Seconds that a mark needs along the edge; 0 stands still. */
  readonly paceSeconds: number;
  readonly label: string;
  readonly faded: boolean;
  /** Where the label stands; the middle of the edge without. */
  readonly at: Point | null;
}

export type ServiceNode = Node<ServiceData, 'service'>;
export type BoxNode = Node<{ title: string }, 'box'>;
export type TrafficEdge = Edge<TrafficData, 'traffic'>;

export interface DrawOptions {
  readonly metric: Metric;
  readonly selected: string | null;
  readonly found: { nodes: Set<string>; edges: Set<string> } | null;
  /** The graph is so small on screen that figures cannot be read: they are left out, and nothing is drawn again for them. */
  readonly coarse?: boolean;
}

/** Remembers the last items to hand out the same object again. One per canvas. */
export class FlowItems {
  #nodes = new Map<string, { key: string; item: ServiceNode | BoxNode }>();
  #edges = new Map<string, { key: string; item: TrafficEdge }>();
  #labels: { badges: string; positions: Positions | null; places: Readonly<Record<string, Point>> } = {
    badges: '',
    positions: null,
    places: {},
  };

  nodes(topology: Topology, positions: Positions, options: DrawOptions): (ServiceNode | BoxNode)[] {
    const next = new Map<string, { key: string; item: ServiceNode | BoxNode }>();
    for (const box of boxesOf(topology.nodes, positions)) {
      const id = `box:${box.project}`;
      this.#keep<ServiceNode | BoxNode>(next, this.#nodes, id, JSON.stringify(box), () => ({
        id,
        type: 'box',
        position: { x: box.x, y: box.y },
        data: { title: box.project },
        width: box.width,
        height: box.height,
        zIndex: -1,
        selectable: false,
        draggable: false,
      }));
    }
    const sent = sentBy(topology);
    for (const node of topology.nodes) {
      const position = positions[node.id];
      if (!position) continue;
      const data = toServiceData(node, sent.get(node.id) ?? null, options);
      const selected = options.selected === node.id;
      this.#keep<ServiceNode | BoxNode>(next, this.#nodes, node.id, JSON.stringify([data, position, selected]), () => ({
        id: node.id,
        type: 'service',
        position,
        data,
        selected,
        ...nodeSize,
        // Without it the canvas takes a changed node for a new one, and draws its edges anew: a focus on them is lost.
        measured: nodeSize,
      }));
    }
    this.#nodes = next;
    return [...next.values()].map(({ item }) => item);
  }

  edges(topology: Topology, positions: Positions, options: DrawOptions): TrafficEdge[] {
    const places = this.#labelPlaces(topology, positions);
    const next = new Map<string, { key: string; item: TrafficEdge }>();
    const names = new Map(topology.nodes.map(({ id, service }) => [id, service]));
    for (const edge of topology.edges) {
      const data = toTrafficData(edge, names, options, places[edge.id] ?? null);
      const selected = options.selected === edge.id;
      this.#keep<TrafficEdge>(next, this.#edges, edge.id, JSON.stringify([data, selected]), () => ({
        id: edge.id,
        type: 'traffic',
        source: edge.from,
        target: edge.to,
        data,
        selected,
      }));
    }
    this.#edges = next;
    return [...next.values()].map(({ item }) => item);
  }

  /** Arranged again only when nodes, edges or badges changed. */
  #labelPlaces({ nodes, edges }: Topology, positions: Positions): Readonly<Record<string, Point>> {
    const badges = `${nodes.length} ${edges.map(({ id, badges: { length } }) => `${id}${length}`).join()}`;
    if (this.#labels.badges !== badges || this.#labels.positions !== positions) {
      this.#labels = { badges, positions, places: placeLabels(edges, presentOf(nodes, positions)) };
    }
    return this.#labels.places;
  }

  #keep<T>(
    next: Map<string, { key: string; item: T }>,
    old: Map<string, { key: string; item: T }>,
    id: string,
    key: string,
    make: () => T,
  ) {
    const known = old.get(id);
    next.set(id, known?.key === key ? known : { key, item: make() });
  }
}

/** Requests per second that each node sends; a node that sends none is left out. */
function sentBy({ edges }: Topology): ReadonlyMap<string, number> {
  const sent = new Map<string, number>();
  for (const { from, requestsPerSecond } of edges)
    if (requestsPerSecond) sent.set(from, (sent.get(from) ?? 0) + requestsPerSecond);
  return sent;
}

function toServiceData(
  node: TopologyNode,
  sentPerSecond: number | null,
  { metric, found, coarse }: DrawOptions,
): ServiceData {
  const line = coarse ? '' : nodeLine(node, sentPerSecond, metric);
  const state =
    node.kind === 'service'
      ? { attached: 'in the mesh', partly: 'partly in the mesh', detached: 'not attached' }[node.mesh]
      : node.kind === 'gateway'
        ? { attached: 'gateway', partly: 'gateway', detached: 'gateway, not running' }[node.mesh]
        : 'outside the mesh';
  return {
    kind: node.kind,
    title: node.service,
    line,
    mesh: node.mesh,
    tcp: node.tcp !== null && node.requestsPerSecond === null,
    errorPercent:
      node.errorPercent === null
        ? null
        : coarse
          ? Math.round(node.errorPercent)
          : Math.round(node.errorPercent * 10) / 10,
    versions: node.versions,
    label: [node.service, state, line].filter(Boolean).join(', '),
    faded: found !== null && !found.nodes.has(node.id),
  };
}

function nodeLine(node: TopologyNode, sentPerSecond: number | null, metric: Metric): string {
  if (node.kind === 'caller') return 'not in the mesh';
  if (node.kind === 'gateway' && node.mesh === 'detached') return 'not running';
  if (node.tcp && node.requestsPerSecond === null)
    return `${node.tcp.connections} conn · ${formatBytesPerSecond(node.tcp.bytesPerSecond)}`;
  // Beside version chips there is room for one short word.
  if (node.kind === 'service' && node.mesh === 'detached')
    return node.versions.length > 1 ? 'detached' : 'not attached';
  if (node.requestsPerSecond === null && sentPerSecond !== null && node.versions.length < 2)
    return `sends ${formatRateShort(sentPerSecond)}`;
  if (node.requestsPerSecond === null)
    return node.kind === 'outside' ? 'outside the mesh' : node.versions.length > 1 ? 'idle' : 'no traffic';
  const second = metric === 'errors' ? `${formatPercent(node.errorPercent)} err` : formatMs(node.p95Ms);
  if (node.versions.length > 1) return formatRateShort(node.requestsPerSecond);
  return node.p95Ms === null
    ? formatRate(node.requestsPerSecond)
    : `${formatRateShort(node.requestsPerSecond)} · ${second}`;
}

function toTrafficData(
  edge: TopologyEdge,
  names: ReadonlyMap<string, string>,
  { metric, found, coarse }: DrawOptions,
  at: Point | null,
): TrafficData {
  const from = names.get(edge.from) ?? edge.from;
  const to = names.get(edge.to) ?? edge.to;
  const fault = edge.badges.some(({ kind }) => kind === 'fault');
  const failing = (edge.errorPercent ?? 0) >= 1;
  const locks = { open: 'plaintext', half: `${edge.mtlsPercent} % mutual TLS`, closed: 'mutual TLS' };
  const text = coarse ? '' : edgeText(edge, metric);
  return {
    from,
    to,
    tcp: edge.protocol === 'tcp',
    mtls: edge.mtls,
    text,
    error: failing && !coarse && metric !== 'errors' ? formatPercent(edge.errorPercent) : null,
    badges: edge.badges.map(({ kind, text: badge }) => ({ kind, text: shortBadge(badge) })),
    tone: fault ? 'fault' : failing ? 'error' : 'plain',
    paceSeconds: paceOf(edge),
    label: `${from} to ${to}: ${text}, ${locks[edge.mtls]}${failing && !coarse ? `, ${formatPercent(edge.errorPercent)} errors` : ''}${edge.badges.map(({ kind, text: badge }) => `, ${kind} ${badge}`).join('')}`,
    faded: found !== null && !found.edges.has(edge.id),
    at,
  };
}

function edgeText(edge: TopologyEdge, metric: Metric): string {
  if (edge.tcp && edge.protocol === 'tcp') {
    return metric === 'throughput'
      ? formatBytesPerSecond(edge.tcp.bytesPerSecond)
      : `tcp · ${plural(edge.tcp.connections, 'conn', 'conn')}`;
  }
  const rate = formatRateShort(edge.requestsPerSecond);
  if (edge.requestsPerSecond === null) return rate;
  if (metric === 'p95') return edge.p95Ms === null ? rate : `${rate} · ${formatMs(edge.p95Ms)}`;
  if (metric === 'errors') return `${rate} · ${formatPercent(edge.errorPercent)}`;
  return metric === 'throughput' && edge.tcp ? formatBytesPerSecond(edge.tcp.bytesPerSecond) : rate;
}

/** The share alone, where a badge says one: `delay 400 ms for 30 %` is `30 %` on the line and whole in its label. */
function shortBadge(text: string): string {
  return /\d+(?:\.\d+)? %/.exec(text)?.[0] ?? text;
}

/** Four speeds are enough to tell busy from idle, and keep the animation from starting over every second. */
function paceOf({ requestsPerSecond, tcp }: TopologyEdge): number {
  const rate = requestsPerSecond ?? (tcp && tcp.bytesPerSecond > 0 ? 5 : 0);
  if (rate <= 0) return 0;
  if (rate < 2) return 2.4;
  return rate < 20 ? 1.4 : rate < 200 ? 0.9 : 0.5;
}

/** The demo mesh that the fake control plane plays: a small shop in compose, one plain container, one that cannot be attached. */
import type {
  CertificateDetail,
  CertificateView,
  ListenersView,
  Topology,
  TopologyEdge,
  TopologyNode,
  WorkloadView,
} from '../../core/contract/shapes.ts';

type Part = { service: string; version?: string; port: number; protocol: 'http' | 'tcp'; image: string };

const shop: readonly Part[] = [
  { service: 'web', port: 8080, protocol: 'http', image: 'shop/web:2.4' },
  { service: 'orders', port: 8080, protocol: 'http', image: 'shop/orders:1.9' },
  { service: 'payments', version: 'v1', port: 8080, protocol: 'http', image: 'shop/payments:v1' },
  { service: 'payments', version: 'v2', port: 8080, protocol: 'http', image: 'shop/payments:v2' },
  { service: 'catalog', port: 8080, protocol: 'http', image: 'shop/catalog:3.0' },
  { service: 'postgres', port: 5432, protocol: 'tcp', image: 'postgres:16' },
  { service: 'redis', port: 6379, protocol: 'tcp', image: 'redis:7-alpine' },
];

/** Of an attached host process that serves port 8080. */
export const demoListeners: ListenersView = {
  inbound: [{ port: 8080, url: 'http://127.0.0.1:21001' }],
  outbound: [
    { service: 'payments.shop', port: 8080, url: 'http://127.0.0.1:21002' },
    { service: 'redis.shop', port: 6379, url: 'tcp://127.0.0.1:21003' },
  ],
  httpProxy: 'http://127.0.0.1:21004',
};

export const startMs = 1_795_226_400_000;

export function demoWorkloads(attached: boolean): WorkloadView[] {
  const made = shop.map((part, place) => workload(part, place, attached));
  const cron = workload({ service: 'cron', port: 9000, protocol: 'http', image: 'acme/cron:latest' }, 8, false);
  const host = workload(
    { service: 'metrics', port: 9100, protocol: 'http', image: 'prom/node-exporter:v1.8' },
    9,
    false,
  );
  return [
    ...made,
    { ...cron, project: null, namespace: 'default', unseenConnections: null },
    {
      ...host,
      project: null,
      namespace: 'default',
      notAttachable: { code: 'HOST_NETWORK', message: 'metrics uses the host network (network_mode: host).' },
    },
  ];
}

function workload(part: Part, place: number, attached: boolean): WorkloadView {
  const name = part.version ? `${part.service}-${part.version}` : part.service;
  return {
    id: `c0ffee${place}${name}`.padEnd(16, '0'),
    incarnation: '1',
    name: `shop-${name}-1`,
    runtime: 'docker',
    service: part.service,
    namespace: 'shop',
    version: part.version ?? (part.image.split(':')[1] || null),
    project: 'shop',
    image: part.image,
    labels: {},
    state: 'running',
    stateText: 'Up 14 minutes',
    startedAtMs: startMs - 840_000,
    ports: [{ port: part.port, protocol: part.protocol, publishedPort: part.service === 'web' ? 8080 : null }],
    addresses: [{ network: 'shop_default', ip: `172.20.0.${place + 2}`, aliases: [part.service] }],
    notAttachable: null,
    ...meshed(attached, part, place),
  };
}

export function meshed(attached: boolean, part: { service: string }, place: number) {
  return {
    mesh: attached ? ('attached' as const) : ('detached' as const),
    reason: null,
    identity: attached ? `spiffe://cluster.local/ns/shop/sa/${part.service}` : null,
    ackedRevision: attached ? 41 : null,
    cost: attached
      ? { rssBytes: 51_000_000 + place * 700_000, cpuPercent: 0.4 + place * 0.2, eventLoopLagMs: 0.3 }
      : null,
    unseenConnections: attached && part.service === 'postgres' ? 12 : attached ? 0 : null,
    keptConnections: null,
    listeners: null,
  };
}

interface Link {
  from: string;
  to: string;
  rate: number;
  p50: number;
  tcp?: { connections: number; bytesPerSecond: number };
  errors?: number;
}

export const demoLinks: readonly Link[] = [
  { from: 'caller:browser', to: 'web.shop', rate: 61, p50: 11 },
  { from: 'web.shop', to: 'orders.shop', rate: 38, p50: 14, errors: 0.3 },
  { from: 'web.shop', to: 'catalog.shop', rate: 44, p50: 4 },
  { from: 'orders.shop', to: 'payments.shop', rate: 36, p50: 8, errors: 0.4 },
  { from: 'orders.shop', to: 'postgres.shop', rate: 0, p50: 0, tcp: { connections: 14, bytesPerSecond: 1_200_000 } },
  { from: 'catalog.shop', to: 'redis.shop', rate: 0, p50: 0, tcp: { connections: 6, bytesPerSecond: 88_000 } },
  { from: 'payments.shop', to: 'outside:api.bank.example', rate: 4, p50: 61, errors: 3.1 },
];

export interface Liveliness {
  /** A number near 1 that moves over time. */
  wobble(seed: number): number;
  delayMs: number;
  delayPercent: number;
  abortPercent: number;
  faultId: string | null;
  weights: readonly { subset: string; weight: number }[];
}

export function demoTopology(
  workloads: readonly WorkloadView[],
  atMs: number,
  revision: number,
  live: Liveliness,
): Topology {
  const edges = demoLinks.map((link, place) => edge(link, place, live));
  const ids = [...new Set(demoLinks.flatMap(({ from, to }) => [from, to]))];
  return { windowSeconds: 30, atMs, revision, nodes: ids.map((id) => node(id, workloads, edges)), edges };
}

function edge(link: Link, place: number, live: Liveliness): TopologyEdge {
  const faulty = link.to === 'payments.shop' && live.faultId !== null;
  const wobble = live.wobble(place);
  const delay = faulty && live.delayPercent >= 5 ? live.delayMs : 0;
  const outside = link.from.startsWith('caller') || link.to.startsWith('outside');
  const badges: TopologyEdge['badges'] = [];
  const percent = live.delayPercent || live.abortPercent;
  if (faulty && live.faultId) badges.push({ kind: 'fault', text: `${percent} %`, faultId: live.faultId });
  const split = live.weights.find(({ subset }) => subset === 'v2')?.weight ?? 0;
  if (link.to === 'payments.shop' && split > 0) badges.push({ kind: 'split', text: `${split}` });
  return {
    id: `${link.from}->${link.to}`,
    from: link.from,
    to: link.to,
    protocol: link.tcp ? 'tcp' : 'http',
    mtls: outside ? 'open' : link.to === 'catalog.shop' ? 'half' : 'closed',
    mtlsPercent: outside ? 0 : link.to === 'catalog.shop' ? 98.7 : 100,
    requestsPerSecond: link.tcp ? null : link.rate * wobble,
    errorPercent: link.tcp ? null : (link.errors ?? 0) * wobble + (faulty ? live.abortPercent : 0),
    p50Ms: link.tcp ? null : link.p50 * wobble,
    p95Ms: link.tcp ? null : link.p50 * 1.9 * wobble + delay,
    p99Ms: link.tcp ? null : link.p50 * 2.7 * wobble + delay,
    tcp: link.tcp ?? null,
    flags: faulty ? { DI: 31 } : {},
    badges,
    versions: versionsOf(link, live, wobble),
  };
}

function versionsOf(link: Link, live: Liveliness, wobble: number): TopologyEdge['versions'] {
  if (link.to !== 'payments.shop') return [{ version: null, percent: 100, successPercent: 99.8, p95Ms: link.p50 * 2 }];
  return live.weights.map(({ subset, weight }, place) => ({
    version: subset,
    percent:
      weight === 0 || weight === 100 ? weight : Math.min(100, Math.max(0, weight + (wobble - 1) * (place ? -4 : 4))),
    successPercent: weight === 0 ? null : place === 0 ? 99.9 : 98.2,
    p95Ms: weight === 0 ? null : 11 + place * 3,
  }));
}

function node(id: string, workloads: readonly WorkloadView[], edges: readonly TopologyEdge[]): TopologyNode {
  const members = workloads.filter(({ service, namespace }) => `${service}.${namespace}` === id);
  const incoming = edges.filter(({ to }) => to === id);
  const tcp = incoming.find((edgeIn) => edgeIn.tcp)?.tcp ?? null;
  const rates = incoming.flatMap(({ requestsPerSecond }) => requestsPerSecond ?? []);
  const kind = id.startsWith('caller:') ? 'caller' : id.startsWith('outside:') ? 'outside' : 'service';
  const attached = members.filter(({ mesh }) => mesh === 'attached').length;
  return {
    id,
    kind,
    service: kind === 'service' ? id.slice(0, id.indexOf('.')) : id.slice(id.indexOf(':') + 1),
    namespace: kind === 'service' ? 'shop' : null,
    project: kind === 'service' ? 'shop' : null,
    versions: members.length > 1 ? members.flatMap(({ version }) => version ?? []) : [],
    workloads: members.map(({ id: member, name, version, mesh }) => ({ id: member, name, version, mesh })),
    mesh: attached === 0 ? 'detached' : attached === members.length ? 'attached' : 'partly',
    requestsPerSecond: rates.length > 0 ? rates.reduce((sum, rate) => sum + rate, 0) : null,
    errorPercent: incoming[0]?.errorPercent ?? null,
    p95Ms: incoming[0]?.p95Ms ?? null,
    tcp,
  };
}

export function demoCertificate(view: WorkloadView, rotations: number, issuedMs: number): CertificateView {
  const spiffeId = view.identity ?? '';
  const iso = (ms: number) => new Date(ms).toISOString();
  const day = 86_400_000;
  const leaf = detail(
    `CN=${view.service}.${view.namespace}`,
    spiffeId,
    iso(issuedMs),
    iso(issuedMs + day),
    view.id,
    false,
  );
  const root = detail('CN=shop root, O=Meshdesk', '', iso(issuedMs - day), iso(issuedMs + 3650 * day), 'root', true);
  return {
    workload: { id: view.id, name: view.name, service: view.service, namespace: view.namespace },
    spiffeId,
    subject: leaf.subject,
    issuer: leaf.issuer,
    serial: leaf.serial,
    notBefore: leaf.notBefore,
    notAfter: leaf.notAfter,
    rotatesAt: iso(issuedMs + day / 2),
    fingerprintSha256: leaf.fingerprintSha256,
    chain: [leaf.pem, root.pem],
    details: [leaf, root],
    rotations,
  };
}

function detail(
  subject: string,
  san: string,
  notBefore: string,
  notAfter: string,
  seed: string,
  isCa: boolean,
): CertificateDetail {
  const hex = [...`${seed}${notBefore}`]
    .map((char) => char.charCodeAt(0).toString(16))
    .join('')
    .padEnd(64, 'a7')
    .slice(-64);
  return {
    subject,
    issuer: 'CN=shop root, O=Meshdesk',
    serial: hex.slice(0, 32),
    notBefore,
    notAfter,
    fingerprintSha256: hex,
    keyType: 'EC P-256',
    signatureAlgorithm: 'ECDSA with SHA-256',
    sans: san ? [san] : [],
    isCa,
    extensions: [
      {
        oid: '2.5.29.15',
        name: 'Key usage',
        critical: true,
        value: isCa ? 'certificate signing, CRL signing' : 'digital signature',
      },
      { oid: '2.5.29.37', name: 'Extended key usage', critical: false, value: 'server, client' },
      { oid: '2.5.29.17', name: 'Subject alternative name', critical: true, value: san || 'none' },
    ],
    pem: `-----BEGIN CERTIFICATE-----\nMIIB${btoa(hex)}\n-----END CERTIFICATE-----\n`,
  };
}

/** Many services in ten projects, each called by one or two before it. */
export function largeTopology(count: number, atMs: number, wobble: (seed: number) => number): Topology {
  const id = (place: number) => `s${place}.p${place % 10}`;
  const live = { wobble, delayMs: 0, delayPercent: 0, abortPercent: 0, faultId: null, weights: [] };
  const edges = Array.from({ length: count - 10 }, (_, place) => place + 10).flatMap((place) => {
    const callers =
      place % 3 === 0
        ? [place - 10, Math.floor(place / 20) * 10 + (place % 10)]
        : [Math.floor(place / 20) * 10 + (place % 10)];
    return [...new Set(callers)]
      .filter((caller) => caller !== place)
      .map((caller) =>
        edge({ from: id(caller), to: id(place), rate: 1 + ((place * 7) % 90), p50: 3 + (place % 40) }, place, live),
      );
  });
  const nodes = Array.from({ length: count }, (_, place): TopologyNode => {
    const made = node(id(place), [], edges);
    return { ...made, namespace: `p${place % 10}`, project: `p${place % 10}`, mesh: 'attached' };
  });
  return { windowSeconds: 30, atMs, revision: 1, nodes, edges };
}

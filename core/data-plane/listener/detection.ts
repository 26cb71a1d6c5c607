/**
 * Protocol detection, the whole of it, as data. Two tables: what is done before the first byte, and who serves a
 * connection that begins in a certain way. The first row that matches decides; the last row of each matches everything.
 *
 *   declared   what the configuration says the port speaks; `auto`: nothing. A declared protocol wins.
 *   opaque     declared `tcp` or `tls`, or `auto` at a port of `alwaysTcpPorts`: its content is never looked into
 *   sight      what the client's first bytes are (first-bytes.ts), or `quiet`: none came in time
 *
 * Sources: Istio protocol selection and PeerAuthentication's filter chains (HTTP inspector, TLS inspector), Linkerd's
 * opaque ports, RFC 9113 3.4 (preface). Unlike Istio nobody waits for ever at an `auto` port: server-first protocols work
 * undeclared. Pure: bytes are read, and connections served, elsewhere.
 */
import type { MtlsMode } from '../../model/identity.ts';
import type { PortProtocol } from '../../model/protocol.ts';

/** What the first bytes are. `mesh-tls`: its ALPN is ours; `tls`: somebody else's; `quiet`: there were none in time. */
export type Sight = 'http' | 'h2' | 'mesh-tls' | 'tls' | 'tcp' | 'quiet';

/**
 * `http`, `h2`, `tcp`: served as that. `terminate`: mesh TLS ends here, its ALPN says what is inside. `refuse`: closed,
 * flag `NR`. `ask-server`: the server is connected, and whoever speaks first decides.
 */
export type Verdict = 'http' | 'h2' | 'tcp' | 'terminate' | 'refuse' | 'ask-server';

/**
 * `none`: served as TCP at once. `brief`: the client gets `quietClientMs` to speak. `handshake`: as long as a handshake
 * may take. `client`: for ever, clients of that protocol always speak first.
 */
export type Wait = 'none' | 'brief' | 'handshake' | 'client';

/** What is known of a connection before its first byte. */
export interface Expectation {
  readonly direction: 'outbound' | 'inbound';
  readonly declared: PortProtocol;
  readonly port: number;
  /** Of the port, inbound. Outbound: `DISABLE`, a client never speaks mesh TLS to its own sidecar. */
  readonly mtls: MtlsMode;
}

interface Row {
  readonly direction?: Expectation['direction'];
  readonly declared?: readonly PortProtocol[];
  readonly isOpaque?: boolean;
  readonly mtls?: readonly MtlsMode[];
  readonly because: string;
}

export interface WaitRow extends Row {
  readonly wait: Wait;
}

export interface SightRow extends Row {
  readonly sees?: readonly Sight[];
  readonly verdict: Verdict;
}

/** Never looked into unless declared otherwise. */
export const alwaysTcpPorts: ReadonlyMap<number, string> = new Map([
  [25, 'SMTP: the server speaks first (Istio, Linkerd)'],
  [53, 'DNS over TCP: a length, then binary (Istio)'],
  [587, 'SMTP submission: the server speaks first (Linkerd)'],
  [3306, 'MySQL: the server speaks first (Istio, Linkerd)'],
  [5432, 'PostgreSQL: TLS begins after a request in its own words (Linkerd)'],
  [6379, 'Redis (Linkerd)'],
  [11_211, 'memcached: its text commands look like HTTP methods (Linkerd)'],
  [27_017, 'MongoDB (Istio)'],
]);

/** Before the first byte. */
export const waitRows: readonly WaitRow[] = [
  { direction: 'outbound', declared: ['tls'], wait: 'brief', because: 'the server name may choose the service' },
  { direction: 'outbound', isOpaque: true, wait: 'none', because: 'nothing in it is looked at' },
  { isOpaque: true, mtls: ['DISABLE'], wait: 'none', because: 'opaque, and no mesh TLS to expect' },
  { mtls: ['STRICT'], wait: 'handshake', because: 'only mesh TLS is welcome, and in TLS the client speaks first' },
  { declared: ['http', 'http2', 'grpc'], wait: 'client', because: 'declared: in HTTP the client speaks first' },
  { wait: 'brief', because: 'it may be a server-first protocol' },
];

/** From the first bytes. */
export const sightRows: readonly SightRow[] = [
  {
    ...{ direction: 'inbound', mtls: ['PERMISSIVE', 'STRICT'], sees: ['mesh-tls'], verdict: 'terminate' },
    because: 'another sidecar, whatever the port is declared to be',
  },
  { mtls: ['STRICT'], verdict: 'refuse', because: 'STRICT takes mesh TLS only' },
  { sees: ['quiet'], verdict: 'ask-server', because: 'neither end may wait for the other for ever' },
  { isOpaque: true, verdict: 'tcp', because: 'declared, or a well-known port: passes as it is' },
  { sees: ['mesh-tls', 'tls'], verdict: 'tcp', because: "the application's own TLS passes through untouched" },
  { sees: ['h2'], verdict: 'h2', because: 'the preface with prior knowledge is nothing else' },
  { sees: ['http'], verdict: 'http', because: 'method, space and a target in one of the four forms' },
  {
    ...{ declared: ['http', 'http2', 'grpc'], verdict: 'http' },
    because: 'declared: what is not HTTP is answered 400, it must not pass by the rules as TCP',
  },
  { verdict: 'tcp', because: 'anything else' },
];

export function isOpaque({ declared, port }: Pick<Expectation, 'declared' | 'port'>): boolean {
  return declared === 'tcp' || declared === 'tls' || (declared === 'auto' && alwaysTcpPorts.has(port));
}

/** Whether to read from the client before anything else, and how patiently. */
export function waitFor(expectation: Expectation): WaitRow {
  return first(waitRows, expectation, () => true);
}

/** Who serves a connection that begins with `sight`. */
export function decide(expectation: Expectation, sight: Sight): SightRow {
  return first(sightRows, expectation, ({ sees }) => sees === undefined || sees.includes(sight));
}

function first<T extends Row>(rows: readonly T[], expectation: Expectation, sees: (row: T) => boolean): T {
  const opaque = isOpaque(expectation);
  for (const row of rows) {
    if (row.direction !== undefined && row.direction !== expectation.direction) continue;
    if (row.declared !== undefined && !row.declared.includes(expectation.declared)) continue;
    if (row.isOpaque !== undefined && row.isOpaque !== opaque) continue;
    if (row.mtls !== undefined && !row.mtls.includes(expectation.mtls)) continue;
    if (sees(row)) return row;
  }
  throw new Error('the last row of a detection table matches everything');
}

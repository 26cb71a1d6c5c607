/** Where other programs and the sidecar part, why that is so on purpose, and the page that says it. */
import type { Verdict } from '../support/conformance/compare-peers.ts';
import type { PeerName } from '../support/conformance/peers.ts';
import type { RequestCase } from './cases/case.ts';

export interface Difference {
  readonly peer: PeerName;
  readonly subject: string;
  readonly name: string;
  readonly rule: string;
  /** `laxer`: it takes what the sidecar refuses. `stricter`: it refuses what the sidecar forwards. `other`: it understands it otherwise. */
  readonly kind: 'laxer' | 'stricter' | 'other';
}

export function differenceOf(
  peer: PeerName,
  subject: string,
  { name, rule, outcome }: RequestCase,
  verdict: Verdict,
): Difference | null {
  const found = { peer, subject, name, rule };
  if (outcome === 'refused') return verdict === 'accepts' ? { ...found, kind: 'laxer' } : null;
  if (verdict === 'forwards') return null;
  return { ...found, kind: verdict === 'refuses' ? 'stricter' : 'other' };
}

export interface Reason {
  readonly subject: string;
  readonly kind: Difference['kind'];
  readonly text: string;
}

/** Per subject and kind: why the sidecar does what it does. */
export const reasons: readonly Reason[] = [
  {
    subject: 'request line',
    kind: 'laxer',
    text:
      'A line that is repaired (bare CR or LF, several blanks, a version that does not exist) has two readings: the repaired one and ' +
      'that of the next hop. RFC 9112 section 3 allows a server to be lenient here; a proxy that passes messages on must not be.',
  },
  {
    subject: 'request line',
    kind: 'stricter',
    text:
      'Methods are tokens and case-sensitive, and which of them exist is for the application to say. nginx answers TRACE itself and knows ' +
      'upper-case letters only, Node knows a list of methods.',
  },
  {
    subject: 'target forms',
    kind: 'laxer',
    text: 'A target or an authority that is none is read differently by everybody who takes it apart: the route could be another one than the application’s.',
  },
  {
    subject: 'target forms',
    kind: 'stricter',
    text:
      'A target in origin form is for the application to read: octets above 127 or a fragment in it are passed on as they are. In the ' +
      'absolute form the target wins over Host, as RFC 9112 section 3.2.2 says; HAProxy refuses a Host that differs.',
  },
  {
    subject: 'target forms',
    kind: 'other',
    text:
      'A service behind a sidecar is an origin server: it gets the origin form, with the target’s authority as Host, and `*` for OPTIONS of ' +
      'an authority (RFC 9112 section 3.2.4). Dot segments, escaped letters and backslashes are normalized as Envoy does under Istio’s default, ' +
      'so that a rule for a path cannot be walked around.',
  },
  {
    subject: 'header lines',
    kind: 'laxer',
    text:
      'A line that ends in a bare LF, that no colon divides, or that has control characters is a header for one parser and none, or two, for ' +
      'another. nginx drops invalid names, which is why they do no harm there; a message with one is not repaired here.',
  },
  {
    subject: 'Host',
    kind: 'laxer',
    text: 'Routes and policies go by the host, so that it has to be the same one for everybody: exactly one, a name or an address with an optional port.',
  },
  {
    subject: 'Host',
    kind: 'stricter',
    text: 'An empty Host is what a client sends that has no authority to name (RFC 9112 section 3.2).',
  },
  {
    subject: 'Content-Length',
    kind: 'laxer',
    text:
      'One Content-Length of at most 15 digits. Equal values in a list or in several lines may be merged (RFC 9112 section 6.3), but whoever is ' +
      'behind may not; nobody who means well sends them.',
  },
  {
    subject: 'Content-Length',
    kind: 'stricter',
    text: 'Blanks and tabs around a value are no part of it (RFC 9110 section 5.5).',
  },
  {
    subject: 'Transfer-Encoding',
    kind: 'laxer',
    text:
      '`chunked` alone, once, in HTTP/1.1, and never beside a Content-Length. Where others delete the length and go on (RFC 9112 section 6.3 ' +
      'allows it), the message was made to be read in two ways.',
  },
  {
    subject: 'Transfer-Encoding',
    kind: 'stricter',
    text: 'Blanks and tabs around a value are no part of it (RFC 9110 section 5.5).',
  },
  {
    subject: 'chunked coding',
    kind: 'laxer',
    text:
      'Sizes are hexadecimal digits and nothing else, lines end in CR LF, extensions hold no control characters and have an end: each leniency ' +
      'here has been the difference that a published desync was made of.',
  },
  {
    subject: 'trailers',
    kind: 'laxer',
    text: 'What frames, addresses or authorizes a message may not come in its trailers (RFC 9110 section 6.5.1): a server that merges them into the head would read another message.',
  },
  {
    subject: 'Connection, Upgrade and Expect',
    kind: 'laxer',
    text:
      'One Upgrade, and no expectation but 100-continue (417, RFC 9110 section 10.1.1): a server that ignores an expectation and one that waits ' +
      'for it disagree on where the body is.',
  },
  {
    subject: 'Connection, Upgrade and Expect',
    kind: 'stricter',
    text: 'What an upgrade is to is for the application to say; HAProxy checks the handshake of WebSocket itself, and has no other.',
  },
  {
    subject: 'Connection, Upgrade and Expect',
    kind: 'other',
    text: 'After an upgrade that was not granted the connection is still HTTP/1.1; Node drops what came behind the request in the same segment.',
  },
  {
    subject: 'sequences',
    kind: 'laxer',
    text: 'Empty lines between requests are CR LF only (RFC 9112 section 2.2).',
  },
  {
    subject: 'HTTP/1.0',
    kind: 'laxer',
    text: 'The rules for lengths hold in HTTP/1.0 as well.',
  },
  {
    subject: 'size limits',
    kind: 'laxer',
    text: 'Memory for a head is bounded by octets as they arrive, 64 KiB, and by 128 headers.',
  },
];

export function reasonFor({ subject, kind }: Difference): Reason | null {
  return reasons.find((reason) => reason.subject === subject && reason.kind === kind) ?? null;
}

const kinds = {
  laxer: 'The sidecar refuses; taken by the programs marked',
  stricter: 'The sidecar forwards; refused by the programs marked',
  other: 'The sidecar forwards; understood otherwise by the programs marked',
} as const;

const peers = ['nginx', 'haproxy', 'node'] as const;

/** HAProxy has passed the body on by the time it reads trailers: whether the message is complete then is a race. */
const isRace = (peer: PeerName, subject: string) => peer === 'haproxy' && subject === 'trailers';

function renderTable(subject: string, found: readonly Difference[]): string {
  const names = [...new Set(found.map(({ name }) => name))];
  const rows = names.map((name) => {
    const marks = peers.map((peer) => {
      if (isRace(peer, subject)) return '~';
      return found.some((one) => one.name === name && one.peer === peer) ? '×' : ' ';
    });
    const rule = found.find((one) => one.name === name)?.rule ?? '';
    return `| ${name.replaceAll('|', '\\|')} | ${rule} | ${marks.join(' | ')} |`;
  });
  return ['| case | rule | nginx | HAProxy | node:http |', '|---|---|---|---|---|', ...rows].join('\n');
}

const introduction = `# HTTP/1.1: what passes and what does not

The sidecar forwards a message only when nobody behind it can read another one in the same bytes; everything else is
refused with a status and the connection is closed, so that what follows never reaches the application. The rules are
held by a corpus of cases in \`test/conformance/cases\`, driven from outside over raw sockets through one and two
sidecars, whole, byte by byte and cut at random, with an upstream that records what arrives.

The same cases are sent to nginx 1.22, HAProxy 2.6 and node:http (Node 20) in the sidecar's place. This page lists every case
in which one of them does something else, and why the sidecar does what it does (\`~\`: it depends on the moment, since
the program has passed the body on before it reads the trailers). It is written by
\`npx vitest run --project conformance test/conformance/differential.test.ts -u\` and checked by every test run.
`;

export function renderDifferences(differences: readonly Difference[]): string {
  const subjects = [...new Set(differences.map(({ subject }) => subject))];
  const sections = subjects.flatMap((subject) => {
    const parts = Object.entries(kinds).flatMap(([kind, title]) => {
      const found = differences.filter(
        (one) => one.subject === subject && one.kind === kind && !isRace(one.peer, subject),
      );
      const [any] = found;
      if (any === undefined) return [];
      return [`### ${title}\n\n${reasonFor(any)?.text ?? ''}\n\n${renderTable(subject, found)}\n`];
    });
    return parts.length === 0 ? [] : [`## ${subject}\n\n${parts.join('\n')}`];
  });
  return `${introduction}\n${sections.join('\n')}`;
}

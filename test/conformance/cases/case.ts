/**
 * The corpus of requests, as data: bytes that a client sends and what has to become of them. One file per subject.
 *
 *   forwarded   the upstream understands exactly the messages that were sent, hop-by-hop parts aside
 *   normalised  forwarded, but on purpose not as it was sent; `as` says what changes
 *   refused     answered by the sidecar, connection closed; nothing of it or behind it reaches the upstream as a message
 *   unfinished  waits for more; nothing reaches the upstream as a message
 *
 * The expectation of a forwarded case is what the reference parser reads in the bytes that were sent, with `as` on top. Every
 * refused case is sent with a smuggled request behind it.
 */

/** What an upstream may be told in other words than the client's. */
export interface Understood {
  readonly method?: string;
  readonly target?: string;
  readonly host?: string;
  readonly body?: string;
  /** End-to-end header lines, lower-case names, in order; the sidecar's own additions are left out. */
  readonly fields?: readonly (readonly [string, string])[];
  readonly trailers?: readonly (readonly [string, string])[];
  readonly te?: string | null;
  readonly upgrade?: string | null;
}

export interface RequestCase {
  readonly name: string;
  /** Where it is written. */
  readonly rule: string;
  /** latin1 */
  readonly send: string;
  readonly outcome: 'forwarded' | 'refused' | 'unfinished';
  /** Per message; a message that is not listed is forwarded as it was sent. */
  readonly as?: readonly Understood[];
  /** Statuses that a refusal may have; the first one is what the sidecar says when it sees the bytes at once. */
  readonly statuses?: readonly number[];
  /** The head is valid and may be on its way already when the body turns out to be broken. */
  readonly begins?: boolean;
  /** As the first bytes of a connection these are another protocol's, which passes by its own rules. */
  readonly unrecognised?: boolean;
}

export function forwarded(name: string, rule: string, send: string): RequestCase {
  return { name, rule, send, outcome: 'forwarded' };
}

export function normalised(name: string, rule: string, send: string, ...as: readonly Understood[]): RequestCase {
  return { name, rule, send, outcome: 'forwarded', as };
}

export function refused(name: string, rule: string, send: string, ...statuses: readonly number[]): RequestCase {
  return { name, rule, send, outcome: 'refused', statuses: statuses.length === 0 ? [400] : statuses };
}

/** Refused in the middle of a body that began well. */
export function broken(name: string, rule: string, send: string): RequestCase {
  return { name, rule, send, outcome: 'refused', statuses: [400], begins: true };
}

export function unfinished(name: string, rule: string, send: string): RequestCase {
  return { name, rule, send, outcome: 'unfinished' };
}

/** Another protocol's when it comes first on a connection; behind a request it has to be refused. */
export function unrecognised(listed: RequestCase): RequestCase {
  return { ...listed, unrecognised: true };
}

/** A GET with these header lines; each ends with CR LF. */
export const get = (lines = '', target = '/') => `GET ${target} HTTP/1.1\r\nHost: orders\r\n${lines}\r\n`;

/** A POST with these header lines and whatever follows the head. */
export const post = (lines: string, rest = '') => `POST /items HTTP/1.1\r\nHost: orders\r\n${lines}\r\n${rest}`;

export const chunked = (rest: string, lines = '') => post(`Transfer-Encoding: chunked\r\n${lines}`, rest);

import type { RequestCase } from '../../conformance/cases/case.ts';
import type { Peer, Seen } from './peers.ts';
import { RawClient } from './raw-client.ts';
import { readRequests } from './reference-parser.ts';

/**
 * What became of a case. `forwards`: understood as it was meant; `refuses`: answered with an error, or the connection ended;
 * `waits`: neither within the patience; `accepts`: a message was made of bytes that are none; `changes`: understood, but not
 * as it was meant.
 */
export type Verdict = 'forwards' | 'refuses' | 'waits' | 'accepts' | 'changes';

const first = 'GET /first HTTP/1.1\r\nHost: orders\r\n\r\n';
const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: orders\r\n\r\n';
const watch = 'GET /watch HTTP/1.1\r\nHost: orders\r\nConnection: close\r\n\r\n';
const ownTargets = new Set(['/first', '/smuggled', '/watch']);
export interface Comparison {
  readonly verdict: Verdict;
  readonly meant: readonly Seen[];
  readonly seen: readonly Seen[];
  readonly statuses: readonly number[];
}

const isSame = (left: Seen, right: Seen) =>
  left.method === right.method && left.target === right.target && left.body === right.body;

/** One of several may have been refused, but what was seen is in its place. */
function isPartOf(seen: readonly Seen[], meant: readonly Seen[]): boolean {
  let from = 0;
  return seen.every((message) => {
    const at = meant.findIndex((other, index) => index >= from && isSame(message, other));
    from = at + 1;
    return at >= 0;
  });
}

/**
 * Sends a case, behind a first request, to whatever listens at `port`, and asks the peer what it understood. Whoever neither
 * answers nor closes within `patienceMs` waits for more.
 */
export async function sendCase(listed: RequestCase, port: number, peer: Peer, patienceMs: number): Promise<Comparison> {
  peer.forget();
  const isRefused = listed.outcome === 'refused';
  const rest = listed.send + (isRefused ? smuggled : '');
  const meant = readRequests(rest).messages.map(({ method, target, body }, index) => {
    return { method, target: listed.as?.[index]?.target ?? target, body };
  });
  const methods = ['GET', ...meant.map(({ method }) => method), 'GET', 'GET', 'GET'];
  const client = await RawClient.open(port);
  const statuses = () =>
    client
      .answers(methods)
      .messages.map(({ status }) => status)
      .filter((status) => status >= 200);
  await client.send(first);
  await client.final(1, methods);
  await client.send(rest);
  const isOver = () => client.ended || statuses().some((status) => status >= 400);
  const isDone = () => isOver() || peer.passedOnBroken() || statuses().length > meant.length + (isRefused ? 1 : 0);
  await client.until('an answer', isDone, patienceMs).catch(() => null);
  if (!isDone()) {
    // Whether it waits, or the machine is busy: while it answers others, it would have answered this.
    await answerAnother(port);
    await client.until('an answer', isDone, patienceMs / 4).catch(() => null);
  }
  const over = isOver();
  client.close();
  // What the case has caused is there once a later request has been answered.
  await answerAnother(port);
  const seen = peer
    .seen()
    .filter(({ target }) => !ownTargets.has(target))
    .map(({ method, target, body }) => ({ method, target, body }));
  const verdict = peer.passedOnBroken() ? 'accepts' : judge(listed, seen, meant, over);
  return { verdict, meant, seen, statuses: statuses() };
}

/** A request of its own, and its answer. */
async function answerAnother(port: number): Promise<void> {
  const watcher = await RawClient.open(port);
  await watcher.send(watch);
  await watcher.end();
}

function judge(listed: RequestCase, seen: readonly Seen[], meant: readonly Seen[], over: boolean): Verdict {
  if (!isPartOf(seen, meant)) {
    return listed.outcome === 'forwarded' ? 'changes' : 'accepts';
  }
  if (listed.outcome === 'forwarded' && seen.length === meant.length) return 'forwards';
  return over ? 'refuses' : 'waits';
}

import type { Agent } from 'node:http';
import { request } from 'node:http';
import { eventually } from '../support/eventually.ts';
import type { Ask } from './scenario.ts';
import { printOrder } from './scenario.ts';
import { type Attempt, askHeader, orderHeader, type Upstreams } from './upstreams.ts';

/** What could be seen of one request, without what is allowed to differ (ids, dates, the proxies' own headers). */
export interface Observation {
  /** 0: the connection ended without an answer. */
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly attempts: readonly Attempt[];
}

/** Where a proxy takes requests in absolute form. */
export interface Side {
  readonly name: 'istio' | 'meshdesk';
  readonly proxyPort: number;
  readonly agent: Agent;
}

let asked = 0;

/** A request whose answer has come; upstreams may still be seeing attempts or copies of it. */
export interface Sent {
  readonly id: string;
  readonly answer: Omit<Observation, 'attempts'>;
}

/** Sends a request through one side. */
export async function sendThrough(side: Side, host: string, ask: Ask): Promise<Sent> {
  asked += 1;
  const id = `${side.name}-${asked}`;
  return { id, answer: await send(side, host, ask, id) };
}

/** How long attempts and copies that are expected may take longer than the answer. */
const lateMs = 2_000;

/**
 * What was seen of it. A proxy may give a request up before the upstream has seen it, and copies come after the answer.
 * @param attempts how many there should be, if that is known
 */
export async function settle({ id, answer }: Sent, upstreams: Upstreams, attempts: number): Promise<Observation> {
  await eventually('the attempts', () => upstreams.count(id) >= attempts, lateMs).catch(() => undefined);
  return { ...answer, attempts: upstreams.take(id).map(toComparable) };
}

/** Waits until as many attempts have been seen of one as of the other, and copies, if there may be any, have had their time. */
export async function settleBoth(sent: readonly Sent[], upstreams: Upstreams, mirrored: boolean): Promise<void> {
  const counts = () => sent.map(({ id }) => upstreams.count(id));
  if (mirrored) await eventually('copies', () => Math.max(...counts()) > 1, copyMs).catch(() => undefined);
  const equal = () => new Set(counts()).size === 1;
  if (!equal()) await eventually('as many attempts', equal, lateMs).catch(() => undefined);
}

/** Time for a copy that may or may not come. */
const copyMs = 400;

/** Sends a request through one side and waits for what there should be of it. */
export async function observe(
  side: Side,
  upstreams: Upstreams,
  host: string,
  ask: Ask,
  attempts?: number,
): Promise<Observation> {
  const sent = await sendThrough(side, host, ask);
  return settle(sent, upstreams, attempts ?? (sent.answer.status === 504 ? 1 : 0));
}

function send(side: Side, host: string, ask: Ask, id: string): Promise<Omit<Observation, 'attempts'>> {
  const { method = 'GET', path = '/', headers = {}, body, order } = ask;
  const authority = (ask.authority ?? '{host}.shop.svc.cluster.local').replaceAll('{host}', host);
  const lines = Object.entries(headers).map(([name, value]) => [name, typeof value === 'string' ? value : [...value]]);
  const sent: Record<string, string | string[]> = {
    host: authority,
    ...(Object.fromEntries(lines) as Record<string, string | string[]>),
    [askHeader]: id,
    ...(order === undefined ? {} : { [orderHeader]: printOrder(order) }),
    ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
  };
  return new Promise((resolve) => {
    const lost = () => resolve({ status: 0, body: '', headers: {} });
    const target = `http://${authority}${path}`;
    const options = { host: '127.0.0.1', port: side.proxyPort, path: target, method, headers: sent, agent: side.agent };
    const going = request(options, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('error', lost);
      response.on('end', () => {
        const text = Buffer.concat(parts).toString();
        resolve({ status: response.statusCode ?? 0, body: text, headers: answerHeaders(response.headers) });
      });
    });
    going.setTimeout(20_000, () => going.destroy());
    going.on('error', lost);
    going.end(body);
  });
}

/** Set by one of the proxies, or by the transport; what a configured rule adds is never among them. */
const ownOfAnswers =
  /^(server|date|connection|keep-alive|transfer-encoding|content-length|content-type|x-envoy-.*|x-mesh-.*|x-request-id|allow)$/;
const ownOfRequests =
  /^(connection|transfer-encoding|content-length|x-envoy-.*|x-forwarded-.*|x-request-id|x-b3-.*|traceparent|tracestate|x-mesh-.*|x-ask|x-do|host)$/;

function answerHeaders(headers: NodeJS.Dict<string | string[]>): Record<string, string> {
  return pick(headers, ownOfAnswers);
}

function toComparable(attempt: Attempt): Attempt {
  const { atMs: _chance, ...seen } = attempt;
  return { ...seen, headers: pick(attempt.headers, ownOfRequests) };
}

function pick(headers: NodeJS.Dict<string | string[]>, own: RegExp): Record<string, string> {
  const kept = Object.entries(headers).filter(([name, value]) => value !== undefined && !own.test(name));
  return Object.fromEntries(
    kept
      .map(([name, value]) => [name, [value].flat().map(withoutChance).join(', ')] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

/** A cookie for stickiness that a proxy makes up holds a number of its own. */
function withoutChance(value: string | undefined): string | undefined {
  return value?.replace(/^([\w-]+=)"?[0-9a-f]{16,32}"?(?=;|$)/, '$1...');
}

/** The same ask many times: some after one another, or all at once. */
import { Agent } from 'node:http';
import type { Difference, Tally } from './compare.ts';
import { type Observation, observe, type Side, sendThrough, settle } from './observe.ts';
import type { Ask } from './scenario.ts';
import type { Upstreams } from './upstreams.ts';

const parallelDraws = 8;

/** Does `work` for 0 ... `count` - 1, some at a time. */
export async function forEachDraw(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const go = async () => {
    while (next < count) {
      next += 1;
      await work(next - 1);
    }
  };
  await Promise.all(Array.from({ length: parallelDraws }, go));
}

export async function drawMany(side: Side, upstreams: Upstreams, host: string, ask: Ask): Promise<Observation[]> {
  const seen: Observation[] = [];
  await forEachDraw(ask.repeat ?? 1, async () => {
    seen.push(await observe(side, upstreams, host, ask));
  });
  return seen;
}

/** Copies have come when for so long no other has. */
const quietMs = 400;

/** With the copies, which come some time after the answers. */
export async function drawMirrored(side: Side, upstreams: Upstreams, host: string, ask: Ask): Promise<Observation[]> {
  const sent: Awaited<ReturnType<typeof sendThrough>>[] = [];
  await forEachDraw(ask.repeat ?? 1, async () => {
    sent.push(await sendThrough(side, host, ask));
  });
  const count = () => sent.reduce((sum, { id }) => sum + upstreams.count(id), 0);
  for (let known = -1; known !== count(); ) {
    known = count();
    await new Promise((resolve) => setTimeout(resolve, quietMs));
  }
  const seen = await Promise.all(sent.map((one) => settle(one, upstreams, 0)));
  const byVersion = ({ version: a }: { version: string }, { version: b }: { version: string }) => (a < b ? -1 : 1);
  return seen.map((one) => ({ ...one, attempts: one.attempts.toSorted(byVersion) }));
}

/** How many took at least `slowFromMs`; on connections of their own. */
export async function drawSlow(side: Side, upstreams: Upstreams, host: string, ask: Ask): Promise<Tally> {
  const { repeat = 1, slowFromMs = 0 } = ask;
  const agent = new Agent({ keepAlive: true, maxSockets: repeat });
  let slow = 0;
  const one = async () => {
    const startedMs = performance.now();
    const { id } = await sendThrough({ ...side, agent }, host, ask);
    if (performance.now() - startedMs >= slowFromMs) slow += 1;
    upstreams.take(id);
  };
  await Promise.all(Array.from({ length: repeat }, one));
  agent.destroy();
  return { 'a slow answer': slow, 'a quick answer': repeat - slow };
}

/** How many ended in which way; what the mesh says in its own answers is left out. */
export async function askAtOnce(side: Side, upstreams: Upstreams, host: string, ask: Ask): Promise<Tally> {
  const agent = new Agent({ keepAlive: false });
  try {
    const own = { ...side, agent };
    const all = Array.from({ length: ask.repeat ?? 1 }, () => observe(own, upstreams, host, ask));
    const counts: Record<string, number> = {};
    for (const { status, attempts } of await Promise.all(all)) {
      const outcome = `${status} after ${attempts.length} attempts`;
      counts[outcome] = (counts[outcome] ?? 0) + 1;
    }
    return counts;
  } finally {
    agent.destroy();
  }
}

export function compareExactly(istio: Tally, meshdesk: Tally): readonly Difference[] {
  const outcomes = [...new Set([...Object.keys(istio), ...Object.keys(meshdesk)])];
  return outcomes
    .filter((outcome) => istio[outcome] !== meshdesk[outcome])
    .map((outcome) => ({
      what: `count of ${outcome}`,
      istio: String(istio[outcome] ?? 0),
      meshdesk: String(meshdesk[outcome] ?? 0),
    }));
}

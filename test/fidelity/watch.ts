/** When a failing endpoint gets requests again after it was ejected, time after time. */
import type { Difference } from './compare.ts';
import { type Side, sendThrough } from './observe.ts';
import type { Ask } from './scenario.ts';
import type { Attempt, Upstreams } from './upstreams.ts';

const everyMs = 20;
/** It is left alone when so many requests in a row have gone to others. */
const silentFor = 12;
/** Ejections end with a sweep (the scenarios' intervals are 300 ms), and Envoy passes changes of health on once a second. */
const toleratedMs = 1_000;

/**
 * Times from one return to the next, in ms; a return is the first request after it was left alone. Envoy still sends for up to a second to
 * an endpoint that is ejected soon after it has returned, so that the times for which it is left alone say less.
 */
export async function watchReturns(
  side: Side,
  host: string,
  { watch, ...ask }: Ask,
  upstreams: Upstreams,
): Promise<readonly number[]> {
  const { version = '', forMs = 0 } = watch ?? {};
  const order = { ...ask.order, only: version };
  const attempts: Attempt[] = [];
  const endMs = performance.now() + forMs;
  const going: Promise<void>[] = [];
  while (performance.now() < endMs) {
    const one = sendThrough(side, host, { ...ask, order }).then(({ id }) => {
      attempts.push(...upstreams.take(id));
    });
    going.push(one);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
  await Promise.all(going);
  const returnedAtMs: number[] = [];
  let others = silentFor;
  for (const { version: reached, atMs = 0 } of attempts.sort((a, b) => (a.atMs ?? 0) - (b.atMs ?? 0))) {
    if (reached === version && others >= silentFor) returnedAtMs.push(atMs);
    others = reached === version ? 0 : others + 1;
  }
  return returnedAtMs.slice(1).map((atMs, index) => Math.round(atMs - (returnedAtMs[index] ?? 0)));
}

/** As many as both have seen, which may differ by the one that had just not ended. */
export function compareReturns(istio: readonly number[], meshdesk: readonly number[]): readonly Difference[] {
  const pairs = Math.min(istio.length, meshdesk.length);
  const apart = Array.from({ length: pairs }, (_, index) => (istio[index] ?? 0) - (meshdesk[index] ?? 0));
  const isAlike = Math.abs(istio.length - meshdesk.length) <= 1 && (pairs > 0 || istio.length === meshdesk.length);
  if (isAlike && apart.every((by) => Math.abs(by) <= toleratedMs)) return [];
  const show = (all: readonly number[]) => all.map((afterMs) => `${afterMs} ms`).join(', ');
  return [{ what: 'times until the endpoint returned', istio: show(istio), meshdesk: show(meshdesk) }];
}

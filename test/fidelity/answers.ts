import { compareAnswers, compareShares, type Difference, distinctVersions, type Tally, tally } from './compare.ts';
import { type Observation, observe, type Side, sendThrough, settle, settleBoth } from './observe.ts';
import type { Ask } from './scenario.ts';
import type { Upstreams } from './upstreams.ts';

/** What one side did with one ask: the answer, or for a repeated one the shares, or the versions of a sticky series. */
export type Answered =
  | { readonly kind: 'answer'; readonly observation: Observation }
  | { readonly kind: 'shares'; readonly tally: Tally }
  | { readonly kind: 'series'; readonly versions: number };

const parallelDraws = 8;

/** @param attempts that upstreams should see of an ask that is not repeated, if that is known */
export async function askSide(
  side: Side,
  upstreams: Upstreams,
  host: string,
  ask: Ask,
  attempts?: number,
): Promise<Answered> {
  const { repeat = 1, sticky = false } = ask;
  if (repeat === 1) return { kind: 'answer', observation: await observe(side, upstreams, host, ask, attempts) };
  const seen: Observation[] = [];
  let left = repeat;
  const work = async () => {
    while (left > 0) {
      left -= 1;
      seen.push(await observe(side, upstreams, host, ask));
    }
  };
  await Promise.all(Array.from({ length: parallelDraws }, work));
  return sticky ? { kind: 'series', versions: distinctVersions(seen) } : { kind: 'shares', tally: tally(seen) };
}

/** The same ask through both at once. */
export async function askBoth(
  sides: readonly [Side, Side],
  upstreams: Upstreams,
  host: string,
  ask: Ask,
): Promise<readonly [Answered, Answered]> {
  const [one, other] = sides;
  if ((ask.repeat ?? 1) > 1) {
    return Promise.all([askSide(one, upstreams, host, ask), askSide(other, upstreams, host, ask)]);
  }
  const [a, b] = await Promise.all([sendThrough(one, host, ask), sendThrough(other, host, ask)]);
  await settleBoth([a, b], upstreams, ask.mirrored ?? false);
  const [istio, meshdesk] = await Promise.all([settle(a, upstreams, 0), settle(b, upstreams, 0)]);
  return [
    { kind: 'answer', observation: istio },
    { kind: 'answer', observation: meshdesk },
  ];
}

/** @param isDrawn the endpoint is drawn at random */
export function compareAnswered(istio: Answered, meshdesk: Answered, isDrawn: boolean): readonly Difference[] {
  if (istio.kind === 'answer' && meshdesk.kind === 'answer') {
    return compareAnswers(istio.observation, meshdesk.observation, isDrawn);
  }
  if (istio.kind === 'shares' && meshdesk.kind === 'shares') return compareShares(istio.tally, meshdesk.tally);
  if (istio.kind !== 'series' || meshdesk.kind !== 'series') throw new Error('two kinds of answers to one ask');
  const { versions } = istio;
  if (versions === meshdesk.versions) return [];
  return [{ what: 'versions in a sticky series', istio: String(versions), meshdesk: String(meshdesk.versions) }];
}

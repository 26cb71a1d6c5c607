import { compareAnswers, compareShares, type Difference, distinctVersions, type Tally, tally } from './compare.ts';
import { comparePlaces, placeKeys } from './keys.ts';
import { askAtOnce, compareExactly, drawMany, drawMirrored, drawSlow } from './many.ts';
import { type Observation, observe, type Side, sendThrough, settle, settleBoth } from './observe.ts';
import { comparePauses, drawPauses, type Pause } from './pauses.ts';
import type { Ask } from './scenario.ts';
import type { Upstreams } from './upstreams.ts';
import { compareReturns, watchReturns } from './watch.ts';

/** What one side did with one ask: the answer, or for a repeated one what is compared of all of them. */
export type Answered =
  | { readonly kind: 'answer'; readonly observation: Observation }
  | { readonly kind: 'shares'; readonly tally: Tally }
  | { readonly kind: 'at once'; readonly tally: Tally }
  | { readonly kind: 'keys'; readonly tally: Tally }
  /** How many versions answered a sticky series. */
  | { readonly kind: 'series'; readonly versions: number }
  | { readonly kind: 'pauses'; readonly pauses: readonly Pause[] }
  | { readonly kind: 'returns'; readonly afterMs: readonly number[] };

/** @param attempts that upstreams should see of an ask that is not repeated, if that is known */
export async function askSide(
  side: Side,
  upstreams: Upstreams,
  host: string,
  ask: Ask,
  attempts?: number,
): Promise<Answered> {
  await pauseBefore(ask);
  if (ask.watch !== undefined) return { kind: 'returns', afterMs: await watchReturns(side, host, ask, upstreams) };
  if ((ask.repeat ?? 1) === 1) {
    return { kind: 'answer', observation: await observe(side, upstreams, host, ask, attempts) };
  }
  if (ask.slowFromMs !== undefined) return { kind: 'shares', tally: await drawSlow(side, upstreams, host, ask) };
  if (ask.pauses) return { kind: 'pauses', pauses: await drawPauses(side, upstreams, host, ask) };
  if (ask.atOnce) return { kind: 'at once', tally: await askAtOnce(side, upstreams, host, ask) };
  if (ask.keysUntilFails !== undefined) return { kind: 'keys', tally: await placeKeys(side, upstreams, host, ask) };
  const seen = await (ask.mirrored ? drawMirrored : drawMany)(side, upstreams, host, ask);
  return ask.sticky ? { kind: 'series', versions: distinctVersions(seen) } : { kind: 'shares', tally: tally(seen) };
}

/** The same ask through both at once. */
export async function askBoth(
  sides: readonly [Side, Side],
  upstreams: Upstreams,
  host: string,
  ask: Ask,
): Promise<readonly [Answered, Answered]> {
  const [one, other] = sides;
  if ((ask.repeat ?? 1) > 1 || ask.watch !== undefined) {
    return Promise.all([askSide(one, upstreams, host, ask), askSide(other, upstreams, host, ask)]);
  }
  await pauseBefore(ask);
  const [a, b] = await Promise.all([sendThrough(one, host, ask), sendThrough(other, host, ask)]);
  await settleBoth([a, b], upstreams, ask.mirrored ?? false);
  const [istio, meshdesk] = await Promise.all([settle(a, upstreams, 0), settle(b, upstreams, 0)]);
  return [
    { kind: 'answer', observation: istio },
    { kind: 'answer', observation: meshdesk },
  ];
}

async function pauseBefore({ afterMs }: Ask): Promise<void> {
  if (afterMs !== undefined) await new Promise((resolve) => setTimeout(resolve, afterMs));
}

/** @param isDrawn the endpoint is drawn at random */
export function compareAnswered(istio: Answered, meshdesk: Answered, isDrawn: boolean): readonly Difference[] {
  if (istio.kind === 'answer' && meshdesk.kind === 'answer') {
    return compareAnswers(istio.observation, meshdesk.observation, isDrawn);
  }
  if (istio.kind === 'shares' && meshdesk.kind === 'shares') return compareShares(istio.tally, meshdesk.tally);
  if (istio.kind === 'at once' && meshdesk.kind === 'at once') return compareExactly(istio.tally, meshdesk.tally);
  if (istio.kind === 'keys' && meshdesk.kind === 'keys') return comparePlaces(istio.tally, meshdesk.tally);
  if (istio.kind === 'pauses' && meshdesk.kind === 'pauses') return comparePauses(istio.pauses, meshdesk.pauses);
  if (istio.kind === 'returns' && meshdesk.kind === 'returns') {
    return compareReturns(istio.afterMs, meshdesk.afterMs);
  }
  if (istio.kind !== 'series' || meshdesk.kind !== 'series') throw new Error('two kinds of answers to one ask');
  const { versions } = istio;
  if (versions === meshdesk.versions) return [];
  return [{ what: 'versions in a sticky series', istio: String(versions), meshdesk: String(meshdesk.versions) }];
}

/** Where consistent hash puts keys, and which of them go elsewhere when an endpoint is gone. */
import { compareShares, type Difference, type Tally } from './compare.ts';
import { forEachDraw } from './many.ts';
import { observe, type Side } from './observe.ts';
import type { Ask } from './scenario.ts';
import type { Upstreams } from './upstreams.ts';

/**
 * Shares of a hash ring are even to some per cent only (Envoy's 1,024 points for three endpoints: 5.4 % of each), on top of the
 * chance that lies in the keys.
 */
const unevenness = 0.06;

/** Each key is asked for twice, then the version fails, then each is asked for once more; see `keysUntilFails`. */
export async function placeKeys(side: Side, upstreams: Upstreams, host: string, ask: Ask): Promise<Tally> {
  const { repeat = 1, keysUntilFails: only = '' } = ask;
  const places: Record<string, string>[] = [];
  const askAll = async (order?: Ask['order']) => {
    const placed: Record<string, string> = {};
    await forEachDraw(repeat, async (index) => {
      const key = `key-${index}`;
      const own = withKey(order === undefined ? ask : { ...ask, order }, key);
      const { status, attempts } = await observe(side, upstreams, host, own);
      placed[key] = attempts[0]?.version ?? `nobody (${status})`;
    });
    places.push(placed);
  };
  await askAll();
  await askAll();
  await askAll({ status: 503, only });
  await askAll();
  const [first = {}, second = {}, , last = {}] = places;
  const counts: Record<string, number> = {};
  for (const [key, before] of Object.entries(first)) {
    const outcome = second[key] === before ? `${before}, then ${last[key]}` : `${before} and ${second[key]}`;
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  return counts;
}

/** By the shares of all combinations, also of moves between two that both stayed. */
export function comparePlaces(istio: Tally, meshdesk: Tally): readonly Difference[] {
  return compareShares(istio, meshdesk, unevenness);
}

function withKey(ask: Ask, key: string): Ask {
  return JSON.parse(JSON.stringify(ask).replaceAll('{key}', key)) as Ask;
}

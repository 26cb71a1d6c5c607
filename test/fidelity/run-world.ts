import { compareAnswers, compareShares, type Difference } from './compare.ts';
import type { IstioSide } from './istio-side.ts';
import type { MeshdeskSide } from './meshdesk-side.ts';
import { type Observation, observe, type Side } from './observe.ts';
import type { Ask } from './scenario.ts';
import type { Upstreams } from './upstreams.ts';
import type { PlacedScenario, World } from './world.ts';

export interface FoundDifference extends Difference {
  readonly scenario: string;
  readonly ask: Ask;
  readonly yaml: string;
}

export interface WorldResult {
  readonly cases: number;
  readonly requests: number;
  readonly differences: readonly FoundDifference[];
}

/** Scenarios under way at once; requests of one scenario go one after the other, unless they are repeated. */
const parallel = 12;
const parallelDraws = 8;

/** Loads a world into both sides and asks everything of both. */
export async function runWorld(
  world: World,
  istio: IstioSide,
  meshdesk: MeshdeskSide,
  upstreams: Upstreams,
): Promise<WorldResult> {
  await upstreams.start([...new Set(world.scenarios.flatMap(({ versions }) => versions))]);
  await Promise.all([istio.load(world, upstreams), meshdesk.load(world, upstreams)]);
  const waiting = [...world.scenarios];
  const differences: FoundDifference[] = [];
  let requests = 0;
  const work = async () => {
    for (let scenario = waiting.shift(); scenario !== undefined; scenario = waiting.shift()) {
      for (const ask of scenario.asks) {
        requests += ask.repeat ?? 1;
        const found = await compareAsk(scenario, ask, istio, meshdesk, upstreams);
        const { name, yaml } = scenario;
        differences.push(...found.map((difference) => ({ ...difference, scenario: name, ask, yaml })));
      }
    }
  };
  await Promise.all(Array.from({ length: parallel }, work));
  return { cases: world.scenarios.length, requests, differences };
}

async function compareAsk(
  scenario: PlacedScenario,
  ask: Ask,
  istio: Side,
  meshdesk: Side,
  upstreams: Upstreams,
): Promise<readonly Difference[]> {
  const { repeat = 1, sticky = false } = ask;
  if (repeat === 1) {
    const [a, b] = await Promise.all([istio, meshdesk].map((side) => observe(side, upstreams, scenario.host, ask)));
    if (a === undefined || b === undefined) throw new Error('nothing was observed');
    return compareAnswers(a, b, scenario.versions.length > 1);
  }
  const [a = [], b = []] = await Promise.all(
    [istio, meshdesk].map((side) => draw(side, upstreams, scenario.host, ask, repeat)),
  );
  if (!sticky) return compareShares(a, b);
  const [x, y] = [distinctVersions(a), distinctVersions(b)];
  return x === y ? [] : [{ what: 'versions in a sticky series', istio: String(x), meshdesk: String(y) }];
}

async function draw(side: Side, upstreams: Upstreams, host: string, ask: Ask, count: number): Promise<Observation[]> {
  const seen: Observation[] = [];
  let left = count;
  const work = async () => {
    while (left > 0) {
      left -= 1;
      seen.push(await observe(side, upstreams, host, ask));
    }
  };
  await Promise.all(Array.from({ length: parallelDraws }, work));
  return seen;
}

function distinctVersions(observations: readonly Observation[]): number {
  return new Set(observations.map(({ attempts }) => attempts[0]?.version ?? '')).size;
}

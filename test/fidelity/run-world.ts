import { type Answered, askBoth, compareAnswered } from './answers.ts';
import type { Difference } from './compare.ts';
import type { IstioSide } from './istio-side.ts';
import type { MeshdeskSide } from './meshdesk-side.ts';
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
  /** What Istio did, by scenario, ask by ask; with `{host}` for the host's name. */
  readonly istio: Readonly<Record<string, readonly Answered[]>>;
}

/** Scenarios under way at once; requests of one scenario go one after the other, unless they are repeated. */
const parallel = 12;

/** Loads a world into both sides and asks everything of both. */
export async function runWorld(
  world: World,
  istio: IstioSide,
  meshdesk: MeshdeskSide,
  upstreams: Upstreams,
): Promise<WorldResult> {
  await startUpstreams(world, upstreams);
  await Promise.all([istio.load(world, upstreams), meshdesk.load(world, upstreams)]);
  const differences: FoundDifference[] = [];
  const answers: Record<string, Answered[]> = {};
  let requests = 0;
  await forEachScenario(world, async (scenario) => {
    const { name, host, yaml } = scenario;
    const known: Answered[] = [];
    answers[name] = known;
    for (const ask of scenario.asks) {
      requests += ask.repeat ?? 1;
      const [a, b] = await askBoth([istio, meshdesk], upstreams, host, ask);
      known.push(JSON.parse(JSON.stringify(a).replaceAll(host, '{host}')) as Answered);
      const found = compareAnswered(a, b, scenario.draws);
      differences.push(...found.map((difference) => ({ ...difference, scenario: name, ask, yaml })));
    }
  });
  return { cases: world.scenarios.length, requests, differences, istio: answers };
}

export function startUpstreams(world: World, upstreams: Upstreams): Promise<void> {
  return upstreams.start([...new Set(world.scenarios.flatMap(({ versions }) => versions))]);
}

export async function forEachScenario(world: World, work: (scenario: PlacedScenario) => Promise<void>): Promise<void> {
  const waiting = [...world.scenarios];
  const next = async () => {
    for (let scenario = waiting.shift(); scenario !== undefined; scenario = waiting.shift()) await work(scenario);
  };
  await Promise.all(Array.from({ length: parallel }, next));
}

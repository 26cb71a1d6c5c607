import { type Answered, askBoth, compareAnswered } from './answers.ts';
import type { Difference } from './compare.ts';
import type { IstioSide } from './istio-side.ts';
import type { MeshdeskSide } from './meshdesk-side.ts';
import type { Ask } from './scenario.ts';
import type { Upstreams } from './upstreams.ts';
import { laterWorld, type PlacedScenario, type World } from './world.ts';

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
  const differences: FoundDifference[] = [];
  const answers: Record<string, Answered[]> = {};
  let requests = 0;
  for (const part of [world, laterWorld(world)]) {
    if (part === null) continue;
    await startUpstreams(part, upstreams);
    await Promise.all([istio.load(part, upstreams), meshdesk.load(part, upstreams)]);
    await forEachScenario(part, async (scenario) => {
      const { name, host, yaml } = scenario;
      answers[name] ??= [];
      for (const ask of scenario.asks) {
        requests += ask.repeat ?? 1;
        let [a, b] = await askBoth([istio, meshdesk], upstreams, host, ask);
        let found = compareAnswered(a, b, scenario.draws);
        // A machine that stood still looks like a difference; one of the two comes back.
        if (found.length > 0 && isTimed(scenario)) {
          [a, b] = await askBoth([istio, meshdesk], upstreams, host, ask);
          found = compareAnswered(a, b, scenario.draws);
        }
        answers[name].push(JSON.parse(JSON.stringify(a).replaceAll(host, '{host}')) as Answered);
        differences.push(...found.map((difference) => ({ ...difference, scenario: name, ask, yaml })));
      }
    });
  }
  return { cases: world.scenarios.length, requests, differences, istio: answers };
}

export function startUpstreams(world: World, upstreams: Upstreams): Promise<void> {
  return upstreams.start([...new Set(world.scenarios.flatMap(({ versions }) => versions))]);
}

/** It is about times, so that nothing else should go on. */
export function isTimed({ asks }: Pick<PlacedScenario, 'asks'>): boolean {
  return asks.some(({ pauses, watch, slowFromMs, afterMs = 0 }) => {
    const looksAtClock = pauses === true || watch !== undefined || slowFromMs !== undefined;
    return looksAtClock || afterMs > longMs;
  });
}

const longMs = 5_000;

/** Single requests first, then those that are repeated hundreds of times, then those that look at the clock. */
export async function forEachScenario(world: World, work: (scenario: PlacedScenario) => Promise<void>): Promise<void> {
  const loadOf = (scenario: PlacedScenario) =>
    isTimed(scenario) ? 2 : scenario.asks.some(({ repeat = 1 }) => repeat > 100) ? 1 : 0;
  for (const load of [0, 1, 2]) {
    const waiting = world.scenarios.filter((scenario) => loadOf(scenario) === load);
    const next = async () => {
      for (let scenario = waiting.shift(); scenario !== undefined; scenario = waiting.shift()) await work(scenario);
    };
    await Promise.all(Array.from({ length: parallel }, next));
  }
}

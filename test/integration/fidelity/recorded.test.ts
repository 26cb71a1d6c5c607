/**
 * A sidecar against what a real Istio did: the hand-written scenarios of test/fidelity and a few hundred generated ones,
 * answered by the arbiter once and recorded
 * (`npm run fidelity -- --seed 1 --cases 300 --record test/fixtures/fidelity`), so that this needs no Istio. What is about times
 * is compared live only: those of another machine say nothing about this one.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answered, askSide, compareAnswered } from '../../fidelity/answers.ts';
import { explain, readExplanations } from '../../fidelity/explanations.ts';
import { type MeshdeskSide, startMeshdeskSide } from '../../fidelity/meshdesk-side.ts';
import { type GeneratedRecording, type Recording, readRecording } from '../../fidelity/record.ts';
import { isTimed, startUpstreams } from '../../fidelity/run-world.ts';
import { scenarios } from '../../fidelity/scenarios/scenarios.ts';
import { Upstreams } from '../../fidelity/upstreams.ts';
import { laterWorld, type PlacedScenario, toWorld } from '../../fidelity/world.ts';

const root = join(import.meta.dirname, '../../..');
const folder = join(root, 'test/fixtures/fidelity');
const { answers } = readRecording<Recording>(join(folder, 'istio.json'));
const { cases } = readRecording<GeneratedRecording>(join(folder, 'generated.json'));
const explanations = readExplanations(join(root, 'docs/fidelity.md'));
const known = scenarios.filter((scenario) => !isTimed(scenario));
const world = toWorld([...known, ...cases], 'w0-');
const written = world.scenarios.slice(0, known.length);
const generated = world.scenarios.slice(known.length);
const upstreams = new Upstreams();
let meshdesk: MeshdeskSide;

beforeAll(async () => {
  await startUpstreams(world, upstreams);
  meshdesk = await startMeshdeskSide();
  await meshdesk.load(world, upstreams);
});
afterAll(async () => {
  await meshdesk.close();
  upstreams.close();
});

test('every scenario has been put to the arbiter', () => {
  expect(scenarios.length).toBeGreaterThan(100);
  expect(Object.keys(answers).sort()).toEqual(known.map(({ name }) => name).sort());
  expect(cases.length).toBeGreaterThanOrEqual(200);
});

describe.concurrent('like Istio', () => {
  test.each(written.map((scenario) => [scenario.name, scenario] as const))('%s', async (name, scenario) => {
    expect(await unexplained(scenario, answers[name] ?? [])).toEqual([]);
  });
});

describe.concurrent('like Istio, as generated', () => {
  test.each(generated.map((scenario, index) => [scenario.name, scenario, index] as const))(
    '%s',
    async (...[, scenario, index]) => {
      expect(await unexplained(scenario, cases[index]?.answers ?? [])).toEqual([]);
    },
  );
});

describe('like Istio, after services have changed', () => {
  const changed = laterWorld(world);
  const places = changed?.scenarios.flatMap((scenario, index) => (scenario.asks.length > 0 ? [index] : [])) ?? [];
  beforeAll(async () => {
    if (changed === null) return;
    await startUpstreams(changed, upstreams);
    await meshdesk.load(changed, upstreams);
  });
  test.concurrent.each(places.map((index) => [world.scenarios[index]?.name ?? '', index] as const))(
    '%s',
    async (name, index) => {
      const scenario = changed?.scenarios[index];
      if (scenario === undefined) throw new Error(`no scenario ${index}`);
      const before = world.scenarios[index]?.asks.length ?? 0;
      expect(await unexplained(scenario, answers[name] ?? [], before)).toEqual([]);
    },
  );
});

/** @param from number of asks that came before */
async function unexplained(
  scenario: PlacedScenario,
  recorded: readonly Answered[],
  from = 0,
): Promise<readonly unknown[]> {
  const found: unknown[] = [];
  // Waiting before an ask is for Istio, which is slower to pass changes on.
  for (const [index, { afterMs: _forIstio, ...ask }] of scenario.asks.entries()) {
    const recordedAnswer = recorded[from + index];
    if (recordedAnswer === undefined) throw new Error(`no answer was recorded for ask ${index}`);
    const istio = JSON.parse(JSON.stringify(recordedAnswer).replaceAll('{host}', scenario.host)) as Answered;
    const attempts = istio.kind === 'answer' ? istio.observation.attempts.length : 0;
    const ours = await askSide(meshdesk, upstreams, scenario.host, ask, attempts);
    const { name, yaml, draws } = scenario;
    const differences = compareAnswered(istio, ours, draws).map((one) => ({ ...one, scenario: name, ask, yaml }));
    found.push(...differences.filter((difference) => explain(difference, explanations) === null));
  }
  return found;
}

/**
 * A sidecar against what a real Istio did: the hand-written scenarios of test/fidelity, answered by the arbiter once and
 * recorded (`npm run fidelity -- --record test/fixtures/fidelity/istio.json`), so that this needs no Istio.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answered, askSide, compareAnswered } from '../../fidelity/answers.ts';
import { explain, readExplanations } from '../../fidelity/explanations.ts';
import { type MeshdeskSide, startMeshdeskSide } from '../../fidelity/meshdesk-side.ts';
import { startUpstreams } from '../../fidelity/run-world.ts';
import { scenarios } from '../../fidelity/scenarios/scenarios.ts';
import { Upstreams } from '../../fidelity/upstreams.ts';
import { toWorld } from '../../fidelity/world.ts';

interface Recording {
  readonly arbiter: string;
  readonly answers: Readonly<Record<string, readonly Answered[]>>;
}

const root = join(import.meta.dirname, '../../..');
const recording = JSON.parse(readFileSync(join(root, 'test/fixtures/fidelity/istio.json'), 'utf8')) as Recording;
const explanations = readExplanations(join(root, 'docs/fidelity.md'));
const world = toWorld(scenarios, 'w0-');
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
  expect(Object.keys(recording.answers).sort()).toEqual(scenarios.map(({ name }) => name).sort());
});

describe.concurrent('like Istio', () => {
  test.each(world.scenarios.map((scenario) => [scenario.name, scenario] as const))('%s', async (name, scenario) => {
    const unexplained: unknown[] = [];
    for (const [index, ask] of scenario.asks.entries()) {
      const istio = recording.answers[name]?.[index];
      if (istio === undefined) throw new Error(`no answer was recorded for ask ${index}`);
      const attempts = istio.kind === 'answer' ? istio.observation.attempts.length : 0;
      const ours = await askSide(meshdesk, upstreams, scenario.host, ask, attempts);
      const found = compareAnswered(istio, ours, scenario.draws);
      const told = found.map((difference) => ({ ...difference, scenario: name, ask, yaml: scenario.yaml }));
      unexplained.push(...told.filter((difference) => explain(difference, explanations) === null));
    }
    expect(unexplained).toEqual([]);
  });
});

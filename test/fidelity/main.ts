/**
 * `npm run fidelity [-- --cases N --seed S --json --only TEXT --record FILE]`: the same YAML, upstreams and requests through a real
 * Istio and through a Meshdesk sidecar. Exits 1 when a difference is not explained in docs/fidelity.md, 2 when it cannot run.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { findIstioRuntime } from '../support/istio-tools.ts';
import type { Answered } from './answers.ts';
import { explain, readExplanations } from './explanations.ts';
import { generateScenarios } from './generate.ts';
import { startIstioSide } from './istio-side.ts';
import { startMeshdeskSide } from './meshdesk-side.ts';
import { type FoundDifference, runWorld } from './run-world.ts';
import type { Scenario } from './scenario.ts';
import { scenarios } from './scenarios/scenarios.ts';
import { Upstreams } from './upstreams.ts';
import { toWorld } from './world.ts';

/** Scenarios loaded at once: enough that loading is a small part, few enough that Istio takes them in a second. */
const perWorld = 150;

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    only: { type: 'string' },
    record: { type: 'string' },
  },
});
const say = (line: string) => process.stderr.write(`${line}\n`);

const program = findIstioRuntime();
if (program === null) {
  say('fidelity: MESHDESK_ISTIO_RUNTIME does not name a program that runs istiod and Envoy (it is built with Go).');
  process.exit(2);
}
const all: readonly Scenario[] = [...scenarios, ...generateScenarios(Number(values.cases), Number(values.seed))].filter(
  ({ name }) => values.only === undefined || name.includes(values.only),
);
const explanations = readExplanations('docs/fidelity.md');

const upstreams = new Upstreams();
await upstreams.start(['v1']);
const [istio, meshdesk] = await Promise.all([startIstioSide(program), startMeshdeskSide()]);
const total = { cases: 0, requests: 0, differences: 0, unexplained: 0 };
const unexplained: FoundDifference[] = [];
const recorded: Record<string, readonly Answered[]> = {};
try {
  for (let from = 0; from < all.length; from += perWorld) {
    const world = toWorld(all.slice(from, from + perWorld), `w${from / perWorld}-`);
    const { cases, requests, differences, istio: answers } = await runWorld(world, istio, meshdesk, upstreams);
    Object.assign(recorded, answers);
    total.cases += cases;
    total.requests += requests;
    total.differences += differences.length;
    unexplained.push(...differences.filter((found) => explain(found, explanations) === null));
    say(`${total.cases} of ${all.length} cases, ${total.differences} differences, ${unexplained.length} unexplained`);
  }
} finally {
  await Promise.all([istio.close(), meshdesk.close()]);
  upstreams.close();
}
total.unexplained = unexplained.length;
if (values.record !== undefined) {
  const arbiter = 'istiod of 2024-02 (1.22) with Envoy 1.40';
  writeFileSync(values.record, `${JSON.stringify({ arbiter, answers: recorded }, null, 1)}\n`);
}
for (const { scenario, what, istio: theirs, meshdesk: ours, ask, yaml } of unexplained.slice(0, 200)) {
  if (values.only !== undefined) say(yaml);
  say(`\n${scenario}\n  asked ${JSON.stringify(ask)}\n  ${what}: Istio ${theirs}, Meshdesk ${ours}`);
}
if (!values.json) say('');
process.stdout.write(`${JSON.stringify(total)}\n`);
process.exit(total.unexplained > 0 ? 1 : 0);

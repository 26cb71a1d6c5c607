/**
 * `npm run fidelity [-- --cases N --seed S[,S...] --json --only TEXT --record FOLDER]`: the same YAML, upstreams and requests
 * through a real Istio and through a Meshdesk sidecar. Exits 1 when a difference is not explained in docs/fidelity.md, 2 when it
 * cannot run. `--record` keeps what Istio did, for test/integration/fidelity: the answers to the hand-written scenarios in
 * `istio.json`, the generated ones and their answers in `generated.json`.
 */
import { parseArgs } from 'node:util';
import { findIstioctl, findIstioRuntime } from '../support/istio-tools.ts';
import { explain, readExplanations } from './explanations.ts';
import { type Case, generateCases, toScenario } from './generate/generate.ts';
import { startIstioSide } from './istio-side.ts';
import { compareManifests, recordManifests } from './manifests/compare-manifests.ts';
import { startMeshdeskSide } from './meshdesk-side.ts';
import { type Recorded, record } from './record.ts';
import { type FoundDifference, isTimed, runWorld } from './run-world.ts';
import type { Scenario } from './scenario.ts';
import { scenarios } from './scenarios/scenarios.ts';
import { shrinkCase } from './shrink-case.ts';
import { Upstreams } from './upstreams.ts';
import { toWorld, type World } from './world.ts';

/** Scenarios loaded at once: enough that loading is a small part, few enough that Istio takes them in a second. */
const perWorld = 250;
/** Cases with a difference that are made smaller; the others are shown as they were drawn. */
const maxShrunk = 4;

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    only: { type: 'string' },
    record: { type: 'string' },
    manifests: { type: 'string' },
    kinds: { type: 'string', default: '' },
  },
});
const say = (line: string) => process.stderr.write(`${line}\n`);

if (values.manifests !== undefined) {
  process.exit(await judgeManifests(Number(values.manifests)));
}
const program = findIstioRuntime();
if (program === null) {
  say('fidelity: MESHDESK_ISTIO_RUNTIME does not name a program that runs istiod and Envoy (it is built with Go).');
  process.exit(2);
}
const isAsked = ({ name }: { readonly name: string }) => values.only === undefined || name.includes(values.only);
const generated = new Map<string, Case>();
for (const seed of values.seed.split(',')) {
  for (const one of generateCases(Number(values.cases), Number(seed)).filter(isAsked)) generated.set(one.name, one);
}
const all: readonly Scenario[] = [...scenarios.filter(isAsked), ...[...generated.values()].map(toScenario)];
const explanations = readExplanations('docs/fidelity.md');
const isUnexplained = (found: FoundDifference) => explain(found, explanations) === null;

const upstreams = new Upstreams();
await upstreams.start(['v1']);
const [istio, meshdesk] = await Promise.all([startIstioSide(program), startMeshdeskSide()]);
let worlds = 0;
const run = (world: World) => runWorld(world, istio, meshdesk, upstreams);
const total = { cases: 0, requests: 0, differences: 0, unexplained: 0 };
const unexplained: FoundDifference[] = [];
const recorded: Recorded = {};
try {
  for (let from = 0; from < all.length; from += perWorld) {
    worlds += 1;
    const world = toWorld(all.slice(from, from + perWorld), `w${worlds}-`);
    const { cases, requests, differences, istio: answers } = await run(world);
    Object.assign(recorded, answers);
    total.cases += cases;
    total.requests += requests;
    total.differences += differences.length;
    const open = differences.filter(isUnexplained);
    unexplained.push(...open);
    for (const { scenario, what, istio: theirs, meshdesk: ours } of open.slice(0, 10))
      say(`  ${scenario}: ${what}: Istio ${theirs}, Meshdesk ${ours}`);
    say(`${total.cases} of ${all.length} cases, ${total.differences} differences, ${unexplained.length} unexplained`);
  }
  const shown = new Map<string, FoundDifference>();
  for (const found of unexplained) if (!shown.has(found.scenario)) shown.set(found.scenario, found);
  for (const [index, found] of [...shown.values()].slice(0, 40).entries()) {
    const one = generated.get(found.scenario);
    if (one === undefined || index >= maxShrunk) show(found, one === undefined || values.only !== undefined);
    else show(await shrinkCase(one, found, (small) => run(toWorld(small, `s${worlds++}-`)), isUnexplained));
  }
} finally {
  await Promise.all([istio.close(), meshdesk.close()]);
  upstreams.close();
}
total.unexplained = unexplained.length;
if (values.record !== undefined) {
  const written = scenarios.filter((scenario) => !isTimed(scenario)).map(({ name }) => name);
  record(values.record, recorded, new Set(generated.keys()), all, written);
}
for (const [what, count] of countByKind(unexplained)) say(`${count} x ${what}`);
if (!values.json) say('');
process.stdout.write(`${JSON.stringify(total)}\n`);
process.exit(total.unexplained > 0 ? 1 : 0);

function show({ scenario, what, istio: theirs, meshdesk: ours, ask, yaml }: FoundDifference, withYaml = true): void {
  say(
    `\n${withYaml ? `${yaml}\n` : ''}${scenario}\n  asked ${JSON.stringify(ask)}\n  ${what}: Istio ${theirs}, Meshdesk ${ours}`,
  );
}

function countByKind(found: readonly FoundDifference[]): readonly (readonly [string, number])[] {
  const counts = new Map<string, number>();
  for (const { what } of found) counts.set(what, (counts.get(what) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a);
}

/** `--manifests N`: manifests with mistakes, which production and Meshdesk take or refuse alike. */
async function judgeManifests(count: number): Promise<number> {
  const [istioctl, kubeconfig] = [findIstioctl(), process.env.KUBECONFIG];
  if (istioctl === null || kubeconfig === undefined) {
    say('fidelity: --manifests needs MESHDESK_ISTIOCTL and a KUBECONFIG of an API server with the CRDs.');
    return 2;
  }
  const kinds = values.kinds.split(',').filter((kind) => kind !== '');
  const { judged, differences } = await compareManifests(count, Number(values.seed), kinds, istioctl, kubeconfig);
  for (const { mutation, manifest, verdict, ours } of differences.slice(0, 60)) {
    say(`${String(manifest.kind)}: ${mutation}\n  ${JSON.stringify(manifest.spec)}`);
    say(`  istioctl: ${verdict.istio}\n  Kubernetes: ${verdict.kubernetes}\n  Meshdesk: ${ours}`);
  }
  if (values.record !== undefined) recordManifests(judged);
  const { length } = differences;
  process.stdout.write(`${JSON.stringify({ cases: count, requests: 0, differences: length, unexplained: length })}\n`);
  return length > 0 ? 1 : 0;
}

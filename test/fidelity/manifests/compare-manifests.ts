/**
 * Is a manifest taken here when it is taken in production? Manifests that are known to be good are changed at random, and
 * `istioctl validate`, a Kubernetes API server with the CRDs, and Meshdesk are asked about each. What either of the
 * arbiters refuses has to be refused here, what both take has to be taken.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { parseResources } from '../../../core/model/parse-resources.ts';
import { Draw, type Json } from '../generate/draw.ts';
import { generateCases } from '../generate/generate.ts';
import { type Mutant, mutate } from './mutate.ts';
import { askIstioctl, askKubernetes, type Verdict } from './verdicts.ts';

/** What arbiters refuse and Meshdesk takes, or (`ours`) the other way round, and why. */
const onPurpose: readonly ({ readonly reason: string } & ({ readonly theirs: RegExp } | { readonly ours: RegExp }))[] =
  [
    {
      theirs: /^invalid tag value: /,
      reason: 'versions come from tags of images, which allow more: a warning says so',
    },
    {
      theirs: /label "[^"]*_[^"]*" invalid|valid DNS 1123 label|sourceNamespace match .*_/,
      reason: 'names of containers and of Compose projects may have "_"; an export renames them',
    },
    {
      theirs: /in body should match '\^\[a-z0-9\]/,
      reason: 'namespaces are Compose projects, which may have capitals and "_"',
    },
    { theirs: /^must be a valid CEL expression/, reason: 'filters of access logs are kept, not applied, nor read' },
    { ours: /port\.number: Too big/, reason: 'there is no such port, in settings that Istio does not look at' },
    {
      ours: /httpStatus: Too big/,
      reason: 'istioctl takes a status of 600, but Envoy refuses what istiod makes of it',
    },
  ];

export interface JudgedMutant extends Mutant {
  readonly verdict: Verdict;
}

export interface ManifestDifference extends JudgedMutant {
  /** What Meshdesk says against it; '' when it takes it. */
  readonly ours: string;
}

const folder = 'test/fixtures/istio-validate';

/** @param kinds only manifests of these kinds; empty: all */
export async function compareManifests(
  count: number,
  seed: number,
  kinds: readonly string[],
  istioctl: string,
  kubeconfig: string,
) {
  const draw = new Draw(seed);
  const good = goodManifests(seed).filter(({ kind }) => kinds.length === 0 || kinds.includes(String(kind)));
  const mutants = Array.from({ length: count }, (_, index) => {
    const { manifest, mutation } = mutate(draw, draw.of(good));
    const metadata = { ...(manifest.metadata as Json), name: `m${index}`, namespace: 'default' };
    return { manifest: { ...manifest, metadata }, mutation };
  });
  const manifests = mutants.map(({ manifest }) => manifest);
  const [istio, kubernetes] = await Promise.all([
    askIstioctl(istioctl, manifests),
    askKubernetes(kubeconfig, manifests),
  ]);
  const judged = mutants.map((mutant, index): JudgedMutant => {
    const name = `m${index}`;
    return { ...mutant, verdict: { istio: istio.get(name) ?? '', kubernetes: kubernetes.get(name) ?? '' } };
  });
  return { judged, differences: differencesOf(judged) };
}

export function differencesOf(judged: readonly JudgedMutant[]): readonly ManifestDifference[] {
  return judged
    .map((mutant) => ({ ...mutant, ours: whatWeSay(mutant.manifest) }))
    .filter(({ verdict, ours }) => (verdict.istio === '' && verdict.kubernetes === '') !== (ours === ''))
    .filter((found) => !onPurpose.some((one) => isMeant(one, found)));
}

function isMeant(one: (typeof onPurpose)[number], { verdict, ours }: ManifestDifference): boolean {
  if ('ours' in one) return one.ours.test(ours);
  return ours === '' && one.theirs.test(verdict.istio || verdict.kubernetes);
}

export function recordManifests(judged: readonly JudgedMutant[]): void {
  const lines = judged.map((one) => JSON.stringify(one));
  writeFileSync(join(folder, 'mutants.json'), `[\n${lines.join(',\n')}\n]\n`);
}

function whatWeSay(manifest: Json): string {
  const { resources, findings } = parseResources(JSON.stringify(manifest), null);
  const errors = findings.filter(({ severity }) => severity === 'error').map(({ message }) => message);
  return resources.length === 1 && errors.length === 0 ? '' : errors.join('; ') || 'left out';
}

/** Recorded manifests that both arbiters take, and generated ones. */
function goodManifests(seed: number): readonly Json[] {
  const { verdicts } = JSON.parse(readFileSync(join(folder, 'verdicts.json'), 'utf8')) as {
    readonly verdicts: Readonly<Record<string, Readonly<Record<string, Verdict>>>>;
  };
  const written = readdirSync(join(folder, 'cases')).flatMap((file) => {
    const texts = readFileSync(join(folder, 'cases', file), 'utf8')
      .split(/^---\n/m)
      .slice(1);
    return texts.flatMap((text) => {
      const verdict = verdicts[file.replace('.yaml', '')]?.[/^# case: (.*)$/m.exec(text)?.[1] ?? ''];
      const isTaken = verdict?.istio === 'accepted' && verdict.kubernetes === 'accepted';
      return isTaken ? parseAllDocuments(text).map((document) => document.toJS() as Json) : [];
    });
  });
  const generated = generateCases(60, seed).flatMap(({ resources }) => resources);
  return [...written, ...generated.map((one) => JSON.parse(JSON.stringify(one).replaceAll('{host}', 'a')) as Json)];
}

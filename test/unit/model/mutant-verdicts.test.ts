import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { differencesOf, type JudgedMutant } from '../../fidelity/manifests/compare-manifests.ts';

/** What istioctl and a Kubernetes API server said of manifests with drawn mistakes (`npm run fidelity -- --manifests 600 --record`). */
const path = new URL('../../fixtures/istio-validate/mutants.json', import.meta.url);
const judged = JSON.parse(readFileSync(path, 'utf8')) as readonly JudgedMutant[];

it('manifests with drawn mistakes are taken or refused as in production', () => {
  expect(judged.length).toBeGreaterThanOrEqual(600);
  const refused = judged.filter(({ verdict }) => verdict.istio !== '' || verdict.kubernetes !== '');
  expect(refused.length).toBeGreaterThan(200);
  expect(differencesOf(judged)).toEqual([]);
});

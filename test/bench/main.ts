/**
 * `npm run bench [-- CASE...]`: measures the product as it is shipped and prints what came out; the figures go to
 * test/bench/results/latest.json and, one line a run, to history.jsonl. Nothing is asserted about speed here: machines are
 * noisy, so look at ratios within one run. A failed request is an error, whatever the figures say.
 */
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import { readArguments, usage } from './arguments.ts';
import { addedLatencyCase } from './cases/added-latency.ts';
import { attachCase } from './cases/attach.ts';
import { manyWorkloadsCase } from './cases/many-workloads.ts';
import { startUpCase } from './cases/start-up.ts';
import { mtlsPairCase, plainHopCase, tcpSpliceCase } from './cases/throughput.ts';
import { toggleCase } from './cases/toggle.ts';
import type { BenchResult } from './result.ts';

const cases = [
  plainHopCase,
  mtlsPairCase,
  tcpSpliceCase,
  startUpCase,
  attachCase,
  toggleCase,
  addedLatencyCase,
  manyWorkloadsCase,
];
const resultsDir = join(process.cwd(), 'test', 'bench', 'results');

const { cases: asked, options } = readArguments(process.argv.slice(2));
const unknown = asked.filter((name) => !cases.some((each) => each.name === name));
if (unknown.length > 0) {
  console.error(`unknown case ${unknown.join(', ')}; cases: ${cases.map(({ name }) => name).join(' ')}\n${usage}`);
  process.exit(2);
}

const hasDocker = await new Docker().ping().then(
  () => true,
  () => false,
);
const startedAt = new Date().toISOString();
const results: BenchResult[] = [];
for (const each of cases.filter(({ name }) => asked.length === 0 || asked.includes(name))) {
  if (each.needs === 'docker' && !hasDocker) {
    console.log(`${each.name}: skipped, no container engine answers`);
    continue;
  }
  if (each.needs === 'linux' && process.platform !== 'linux') {
    console.log(`${each.name}: skipped, it pins processes to cores and reads /proc, which needs Linux`);
    continue;
  }
  console.log(`${each.name}:`);
  results.push(...(await each.run((line) => console.log(`  ${line}`), options)));
}

const machine = { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, node: process.version };
const report = { startedAt, machine, results };
mkdirSync(resultsDir, { recursive: true });
writeFileSync(join(resultsDir, 'latest.json'), `${JSON.stringify(report, null, 2)}\n`);
appendFileSync(join(resultsDir, 'history.jsonl'), `${JSON.stringify(report)}\n`);
console.table(results);
const failures = results.reduce((sum, result) => sum + (result.failures ?? 0), 0);
if (failures > 0) console.error(`${failures} requests failed`);
process.exit(failures > 0 ? 1 : 0);

/**
 * The load generator: a process of its own, so that it can be pinned to a core and its code stays warm between measurements.
 * Reads one `LoadOptions` per line on stdin; writes `begin` and `end` around the measured part, then the result as JSON.
 */
import { createInterface } from 'node:readline';
import { Churn, ClosedLoop, Idle } from './load/closed-loop.ts';
import type { LoadOptions } from './load/load-options.ts';
import { OpenLoop } from './load/open-loop.ts';

const kinds = { closed: ClosedLoop, open: OpenLoop, churn: Churn, idle: Idle };
const say = (line: string) => process.stdout.write(`${line}\n`);

for await (const line of createInterface({ input: process.stdin })) {
  const options = JSON.parse(line) as LoadOptions;
  try {
    say(JSON.stringify(await new kinds[options.kind](options).run(say)));
  } catch (error) {
    say(JSON.stringify({ error: String(error) }));
  }
}
process.exit(0);

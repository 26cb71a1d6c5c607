/** The open-loop load as a program of its own: its options as JSON in LOAD, its result as one line of JSON. */
import { type OpenLoopOptions, runOpenLoop } from '../support/open-loop.ts';

const options = JSON.parse(process.env['LOAD'] ?? '{}') as OpenLoopOptions;
const { failures, ...result } = await runOpenLoop(options);
process.stdout.write(
  `${JSON.stringify({ ...result, failures: failures.length, firstFailure: failures[0] ?? null })}\n`,
);

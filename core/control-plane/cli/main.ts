#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exitCodes } from './context.ts';
import { nodeProblem } from './node-version.ts';
import { runProgram } from './program.ts';

/** This program is `<product>/dist/cli/meshdesk.js`. */
const distDir = join(dirname(fileURLToPath(import.meta.url)), '..');
const { version, engines } = JSON.parse(readFileSync(join(distDir, '..', 'package.json'), 'utf8')) as {
  version: string;
  engines: { node: string };
};

// Whoever reads the output may stop reading (`| head`): nothing more is said then.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

const problem = nodeProblem(process.versions.node, engines.node);
if (problem !== null) process.stderr.write(`error: ${problem}\n`);
process.exitCode =
  problem !== null
    ? exitCodes.failed
    : await runProgram(process.argv.slice(2), {
        streams: { stdout: process.stdout, stderr: process.stderr },
        cwd: process.cwd(),
        env: process.env,
        distDir,
        version,
      });

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { nodeProblem } from '../../../core/control-plane/cli/node-version.ts';

const { engines } = JSON.parse(readFileSync('package.json', 'utf8')) as { engines: { node: string } };

test.each(['20.19.0', '20.20.2', '22.0.0', '24.21.0', '25.9.0', '100.0.0'])('takes Node %s', (version) => {
  expect(nodeProblem(version, engines.node)).toBeNull();
});

test.each(['14.21.3', '18.20.8', '20.0.0', '20.18.3'])('says that Node %s is too old, and what to do', (version) => {
  expect(nodeProblem(version, engines.node)).toBe(
    `Meshdesk needs Node 20.19 or newer; this is Node ${version}. Install a newer one (https://nodejs.org) and try again.`,
  );
});

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const programs = {
  sidecar: 'dist/sidecar/sidecar.mjs',
  sample: 'dist/sample/service.mjs',
  cli: 'dist/cli/meshdesk.js',
} as const;

/** Path of the built `dist/` folder. */
export const distDir = fileURLToPath(new URL('../../dist', import.meta.url));

/** Path of a program that the build made. Fails with what to run when it is not there. */
export function builtProgram(name: keyof typeof programs): string {
  const path = fileURLToPath(new URL(`../../${programs[name]}`, import.meta.url));
  if (!existsSync(path)) throw new Error(`${programs[name]} is missing: run \`node .scripts/build.mjs ${name}\` first`);
  return path;
}

/** What this machine has for tests in a real browser, a real Electron and with real programs; found by `.scripts/optional.mjs`. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

const Part = z.union([
  z.object({ ok: z.literal(true), path: z.string().nullable() }),
  z.object({ ok: z.literal(false), reason: z.string() }),
]);
const Parts = z.object({ browser: Part, electron: Part, programs: Part });

export const root = fileURLToPath(new URL('../../..', import.meta.url));

function readParts(): z.infer<typeof Parts> {
  const known = process.env['MESHDESK_OPTIONAL'];
  if (known !== undefined) return Parts.parse(JSON.parse(known));
  const { stdout } = spawnSync(process.execPath, ['.scripts/optional.mjs'], { cwd: root, encoding: 'utf8' });
  return Parts.parse(JSON.parse(stdout));
}

const parts = readParts();

/**
 * The program to start (`programs`: the folder of PostgreSQL's), or `null` with a printed reason. Fails when MESHDESK_REQUIRE lists the part and it is missing.
 */
export function findPart(name: 'browser' | 'electron' | 'programs'): string | null {
  const part = parts[name];
  if (part.ok) return part.path;
  if ((process.env['MESHDESK_REQUIRE'] ?? '').split(',').includes(name)) throw new Error(`${name}: ${part.reason}`);
  process.stderr.write(`skipped, ${name}: ${part.reason}\n`);
  return null;
}

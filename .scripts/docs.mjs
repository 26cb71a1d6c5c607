/** Writes docs/errors.md from the table of errors in core/contract/errors.ts. `--check` only compares (code 1: differs). */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root } from './bootstrap.mjs';

const source = join(root, 'core/contract/errors.ts');
const target = join(root, 'docs/errors.md');

/** The table as `[code, cure]`, read from the source: Node 20 cannot load TypeScript. */
function readCatalogue() {
  const text = readFileSync(source, 'utf8');
  const table = /errorCatalogue = \{(.*?)\n\} as const/s.exec(text)?.[1] ?? '';
  const entries = [...table.matchAll(/^\s*([A-Z_]+):\s*(['"`])(.*?)\2,$/gms)].map(([, code, , cure]) => [
    code,
    cure.replace(/\\(['"`])/g, '$1'),
  ]);
  const codes = [...table.matchAll(/^\s*([A-Z_]+):/gm)].length;
  if (entries.length === 0 || entries.length !== codes) {
    throw new Error(`${entries.length} of ${codes} errors could be read from ${source}`);
  }
  return entries;
}

export function renderErrors() {
  const rows = readCatalogue().map(([code, cure]) => `### ${code}\n\n${cure}\n`);
  return `# Errors

Every error that a user can meet has a code. The message says what happened and where; the cure is below and is shown
beside the message in the desktop, in the browser and on the command line (\`error.hint\` with \`--json\`). A code stays
what it is once it was published; scripts may rely on it.

This page is written from \`core/contract/errors.ts\` by \`node .scripts/docs.mjs\`.

${rows.join('\n')}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const text = renderErrors();
  const upToDate = existsSync(target) && readFileSync(target, 'utf8') === text;
  if (process.argv.includes('--check')) {
    if (!upToDate) console.error('docs/errors.md is out of date: run `node .scripts/docs.mjs`');
    process.exitCode = upToDate ? 0 : 1;
  } else if (!upToDate) {
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, text);
    console.log('docs/errors.md written');
  }
}

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { errorCatalogue } from '../../../core/contract/errors.ts';

const page = readFileSync(fileURLToPath(new URL('../../../docs/errors.md', import.meta.url)), 'utf8');

describe('docs/errors.md', () => {
  it.each(Object.entries(errorCatalogue))(
    'says what to do about %s (else run `node .scripts/docs.mjs`)',
    (code, cure) => {
      expect(page).toContain(`### ${code}\n\n${cure}\n`);
    },
  );

  it('names no error that does not exist', () => {
    const named = [...page.matchAll(/^### (\w+)$/gm)].map(([, code]) => code);
    expect(named).toEqual(Object.keys(errorCatalogue));
  });
});

/** Before every file of unit tests: those of pages wait for what they look for as long as a busy machine takes, not the library's second. */
import { beforeAll } from 'vitest';

beforeAll(async () => {
  if (!('document' in globalThis)) return;
  const { configure } = await import('@testing-library/react');
  configure({ asyncUtilTimeout: 20_000 });
});

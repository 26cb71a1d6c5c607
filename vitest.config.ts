import { defineConfig } from 'vitest/config';

const project = (name: string, extra: Record<string, unknown> = {}) => ({
  extends: true as const,
  test: { name, include: [`test/${name}/**/*.test.{ts,tsx}`], ...extra },
});

/** How long `eventually` waits unless told otherwise; below the time limit of a test, so that its message is what is read. */
const patience = (ms: number) => ({ env: { MESHDESK_TEST_PATIENCE_MS: String(ms) } });

// Time limits are there for what hangs. None is an assertion: machines are busy, by any factor.
export default defineConfig({
  test: {
    passWithNoTests: false,
    projects: [
      project('unit', {
        testTimeout: 30_000,
        hookTimeout: 30_000,
        setupFiles: ['./test/support/page-patience.ts'],
      }),
      project('contract', { testTimeout: 40_000, hookTimeout: 40_000 }),
      project('conformance', { testTimeout: 90_000, hookTimeout: 90_000, ...patience(30_000) }),
      project('integration', { testTimeout: 90_000, hookTimeout: 90_000, ...patience(30_000) }),
      project('docker', { testTimeout: 600_000, hookTimeout: 300_000, fileParallelism: false, ...patience(60_000) }),
      project('e2e', { testTimeout: 400_000, hookTimeout: 240_000, fileParallelism: false, ...patience(60_000) }),
    ],
  },
});

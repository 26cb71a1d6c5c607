import { defineConfig } from 'vitest/config';

const project = (name: string, extra: Record<string, unknown> = {}) => ({
  extends: true as const,
  test: { name, include: [`test/${name}/**/*.test.{ts,tsx}`], ...extra },
});

export default defineConfig({
  test: {
    passWithNoTests: false,
    projects: [
      project('unit', { testTimeout: 5_000 }),
      project('contract', { testTimeout: 10_000 }),
      project('conformance', { testTimeout: 30_000, hookTimeout: 30_000 }),
      project('integration', { testTimeout: 30_000, hookTimeout: 30_000 }),
      project('docker', { testTimeout: 120_000, hookTimeout: 180_000, fileParallelism: false }),
      project('e2e', { testTimeout: 120_000, hookTimeout: 120_000, fileParallelism: false }),
    ],
  },
});

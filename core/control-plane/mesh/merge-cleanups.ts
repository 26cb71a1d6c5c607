import type { CleanupResult } from '../../contract/shapes.ts';

/** One answer of what all runtimes removed; `problems` met before come first. */
export function mergeCleanups(problems: readonly string[], results: readonly CleanupResult[]): CleanupResult {
  return {
    containers: results.flatMap(({ containers }) => containers),
    rules: results.flatMap(({ rules }) => rules),
    images: results.flatMap(({ images }) => images),
    problems: [...problems, ...results.flatMap((result) => result.problems)],
  };
}

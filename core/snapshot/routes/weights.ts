/**
 * Brings weights to whole numbers that sum up to exactly 100, in their order, by the largest remainder: everyone gets
 * the whole part of their share, what is left goes to the largest fractions (the earlier one on a tie). Weights that
 * sum up to 100 stay as they are; all 0 means equal shares. Empty stays empty.
 */
export function normaliseWeights<T extends { readonly weight: number }>(
  weights: readonly T[],
): readonly (T & { readonly weight: number })[] {
  const given = weights.map(({ weight }) => Math.max(0, weight));
  const sum = given.reduce((total, weight) => total + weight, 0);
  const shares = given.map((weight) => (sum === 0 ? 100 / given.length : (weight * 100) / sum));
  const whole = shares.map(Math.floor);
  let left = given.length === 0 ? 0 : 100 - whole.reduce((total, weight) => total + weight, 0);
  const byFraction = shares
    .map((share, index) => ({ index, fraction: share - Math.floor(share) }))
    .sort((a, b) => b.fraction - a.fraction || a.index - b.index);
  for (const { index } of byFraction) {
    if (left === 0) break;
    whole[index] = (whole[index] ?? 0) + 1;
    left -= 1;
  }
  return weights.map((entry, index) => ({ ...entry, weight: whole[index] ?? 0 }));
}

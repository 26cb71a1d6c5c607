/** Weights of a split: whole percents that always sum to 100. Pure. */
export interface Weight {
  readonly subset: string;
  readonly weight: number;
}

/**
 * Sets one weight and takes the difference from the others in proportion to what they have (evenly when they have
 * nothing), by largest remainder, so that the sum stays exactly 100. A lone subset keeps 100.
 */
export function setWeight(weights: readonly Weight[], subset: string, value: number): readonly Weight[] {
  const others = weights.filter((other) => other.subset !== subset);
  if (others.length === 0) return weights.map((only) => ({ ...only, weight: 100 }));
  const wanted = Math.min(100, Math.max(0, Math.round(Number.isFinite(value) ? value : 0)));
  const rest = share(
    100 - wanted,
    others.map(({ weight }) => weight),
  );
  let place = -1;
  return weights.map((one) => {
    if (one.subset === subset) return { ...one, weight: wanted };
    place += 1;
    return { ...one, weight: rest[place] ?? 0 };
  });
}

function share(total: number, parts: readonly number[]): readonly number[] {
  const sum = parts.reduce((left, right) => left + right, 0);
  const exact = parts.map((part) => (sum === 0 ? total / parts.length : (part / sum) * total));
  const whole = exact.map(Math.floor);
  let missing = total - whole.reduce((left, right) => left + right, 0);
  const byRemainder = exact.map((value, index) => ({ index, remainder: value - Math.floor(value) }));
  byRemainder.sort((left, right) => right.remainder - left.remainder || left.index - right.index);
  for (const { index } of byRemainder) {
    if (missing <= 0) break;
    whole[index] = (whole[index] ?? 0) + 1;
    missing -= 1;
  }
  return whole;
}

/**
 * Where the sliders stand: the weights that are set; without a split all goes to the first version. Versions that run but
 * have no weight stand at 0; weights of versions that no longer run stay, so that nothing changes silently.
 */
export function startWeights(set: readonly Weight[], versions: readonly string[]): readonly Weight[] {
  const sorted = [...versions].sort((left, right) => left.localeCompare(right, 'en', { numeric: true }));
  if (set.length === 0) return sorted.map((subset, place) => ({ subset, weight: place === 0 ? 100 : 0 }));
  const missing = sorted.filter((version) => !set.some(({ subset }) => subset === version));
  return [...set, ...missing.map((subset) => ({ subset, weight: 0 }))];
}

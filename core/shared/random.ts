/** Randomness as an argument: a function that returns the next number in [0, 1). */
export type Random = () => number;

/**
 * A small seeded generator (xorshift128, seeded through splitmix32), so that a run with the same seed makes the same
 * draws. Not for keys or tokens.
 */
export function createSeededRandom(seed: number): Random {
  let mix = seed | 0;
  const next = () => {
    mix = (mix + 0x9e3779b9) | 0;
    let z = mix ^ (mix >>> 16);
    z = Math.imul(z, 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) | 0;
  };
  let a = next() | 1;
  let b = next();
  let c = next();
  let d = next();
  return () => {
    const t = d ^ (d << 11);
    d = c;
    c = b;
    b = a;
    a = a ^ (a >>> 19) ^ t ^ (t >>> 8);
    return (a >>> 0) / 0x1_0000_0000;
  };
}

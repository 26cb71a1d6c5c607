import { createSeededRandom } from '../../../core/shared/random.ts';

/** Draws of a generator; the same seed gives the same ones. */
export class Draw {
  readonly #random: () => number;
  constructor(seed: number) {
    this.#random = createSeededRandom(seed);
  }
  chance(share: number): boolean {
    return this.#random() < share;
  }
  below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }
  of<T>(list: readonly T[]): T {
    const item = list[this.below(list.length)];
    if (item === undefined) throw new Error('drew from an empty list');
    return item;
  }
  /** `count` items of different indexes, in their order. */
  some<T>(list: readonly T[], count: number): readonly T[] {
    const left = list.map((_, index) => index);
    while (left.length > count) left.splice(this.below(left.length), 1);
    return left.map((index) => list[index] as T);
  }
  /** The fields of one of several objects, each with its share of the draws. */
  weighted<T>(choices: readonly (readonly [weight: number, make: () => T])[]): T {
    const sum = choices.reduce((total, [weight]) => total + weight, 0);
    let at = this.#random() * sum;
    for (const [weight, make] of choices) {
      at -= weight;
      if (at < 0) return make();
    }
    throw new Error('there is nothing to draw from');
  }
}

export type Json = Readonly<Record<string, unknown>>;

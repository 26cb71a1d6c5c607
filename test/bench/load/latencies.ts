/** Latencies of one measurement; exact up to `maxSamples`, what comes later is left out of the percentiles. */
const maxSamples = 4_000_000;

export class Latencies {
  #samples = new Float64Array(65_536);
  count = 0;

  add(valueUs: number): void {
    if (this.count === this.#samples.length && this.count < maxSamples) {
      const larger = new Float64Array(this.count * 2);
      larger.set(this.#samples);
      this.#samples = larger;
    }
    if (this.count < this.#samples.length) this.#samples[this.count] = valueUs;
    this.count += 1;
  }

  /** Sorted once, to be asked for percentiles. */
  sorted(): Float64Array {
    return this.#samples.slice(0, Math.min(this.count, this.#samples.length)).sort();
  }
}

/** Nearest rank; NaN without samples. Microseconds, one decimal. */
export function percentileUs(sorted: Float64Array, percent: number): number {
  const value = sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? Number.NaN;
  return Math.round(value * 10) / 10;
}

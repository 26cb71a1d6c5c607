/**
 * Latency histogram with log-linear buckets: 16 linear steps per power of two, so that a percentile is at most 6.25 %
 * off. One array of counters, no allocation while recording. The sidecar records, the control plane merges and asks.
 * Values are whole microseconds, 0 to about 19 hours; larger ones land in the last bucket.
 */
const subBits = 4;
const subCount = 1 << subBits;
const maxExponent = 36;
export const histogramBuckets = (maxExponent - subBits + 1) * subCount + subCount;

/** Bucket of a value in microseconds. */
export function bucketOf(valueUs: number): number {
  const value = valueUs < 0 ? 0 : Math.floor(valueUs);
  if (value < subCount) return value;
  const exponent = Math.floor(Math.log2(value));
  if (exponent > maxExponent) return histogramBuckets - 1;
  const sub = Math.floor(value / 2 ** (exponent - subBits)) - subCount;
  return (exponent - subBits + 1) * subCount + sub;
}

/** Middle of a bucket, in microseconds: what a percentile reports. */
export function bucketMiddleUs(bucket: number): number {
  if (bucket < subCount) return bucket;
  const exponent = Math.floor(bucket / subCount) + subBits - 1;
  const step = 2 ** (exponent - subBits);
  return (subCount + (bucket % subCount)) * step + step / 2;
}

/** `[bucket, count]` pairs of the non-empty buckets, ascending: the form that travels. */
export type SparseHistogram = readonly (readonly [bucket: number, count: number])[];

export class Histogram {
  readonly #counts = new Uint32Array(histogramBuckets);
  #total = 0;

  /** Number of recorded values. */
  get total(): number {
    return this.#total;
  }

  record(valueUs: number): void {
    const bucket = bucketOf(valueUs);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#total += 1;
  }

  merge(sparse: SparseHistogram): void {
    for (const [bucket, count] of sparse) {
      if (bucket < 0 || bucket >= histogramBuckets) continue;
      this.#counts[bucket] = (this.#counts[bucket] ?? 0) + count;
      this.#total += count;
    }
  }

  /** Value in milliseconds below which `percent` of the values lie; `null` when nothing was recorded. */
  percentileMs(percent: number): number | null {
    if (this.#total === 0) return null;
    const rank = Math.max(1, Math.ceil((percent / 100) * this.#total));
    let seen = 0;
    for (let bucket = 0; bucket < histogramBuckets; bucket += 1) {
      seen += this.#counts[bucket] ?? 0;
      if (seen >= rank) return bucketMiddleUs(bucket) / 1000;
    }
    return bucketMiddleUs(histogramBuckets - 1) / 1000;
  }

  toSparse(): SparseHistogram {
    const sparse: [number, number][] = [];
    for (let bucket = 0; bucket < histogramBuckets; bucket += 1) {
      const count = this.#counts[bucket] ?? 0;
      if (count > 0) sparse.push([bucket, count]);
    }
    return sparse;
  }

  clear(): void {
    this.#counts.fill(0);
    this.#total = 0;
  }
}

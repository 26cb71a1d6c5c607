import type { Clock } from '../../shared/clock.ts';
import type { SeriesMarker } from '../telemetry/build-series.ts';

const maxMarkers = 200;

/** What the user changed and when, to stand in the charts. */
export class MeshMarkers {
  readonly #clock: Clock;
  readonly #markers: SeriesMarker[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(kind: SeriesMarker['kind'], text: string): void {
    this.#markers.push({ atMs: this.#clock.nowMs(), kind, text });
    if (this.#markers.length > maxMarkers) this.#markers.shift();
  }

  all(): readonly SeriesMarker[] {
    return this.#markers;
  }
}

import type { Toxic } from '../../core/data-plane/toxics/toxic.ts';
import type { Ending, ToxicTimers } from '../../core/data-plane/toxics/toxic-link.ts';
import { type PlannedToxic, ToxicPipe } from '../../core/data-plane/toxics/toxic-pipe.ts';
import { createSeededRandom } from '../../core/shared/random.ts';

/** Time that passes only when a test says so. */
export class VirtualTimers implements ToxicTimers {
  #nowMs = 0;
  readonly #waiting = new Set<{ readonly atMs: number; readonly callback: () => void }>();

  nowMs(): number {
    return this.#nowMs;
  }

  after(ms: number, callback: () => void): () => void {
    const entry = { atMs: this.#nowMs + Math.max(0, ms), callback };
    this.#waiting.add(entry);
    return () => this.#waiting.delete(entry);
  }

  get pending(): number {
    return this.#waiting.size;
  }

  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      const due = [...this.#waiting].filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs);
      const [next] = due;
      if (next === undefined) break;
      this.#waiting.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.callback();
    }
    this.#nowMs = untilMs;
  }
}

export interface Arrival {
  readonly atMs: number;
  readonly text: string;
}

/** One direction of a connection under toxics, with everything that comes out of it and when. */
export class ToxicBench {
  readonly timers = new VirtualTimers();
  readonly arrivals: Arrival[] = [];
  ending: Ending | null = null;
  endedAtMs = -1;
  /** Times that the sender was told to go on. */
  rooms = 0;
  /** What `send` answers. */
  takes = true;
  readonly pipe = new ToxicPipe(this.timers, {
    send: (bytes) => {
      this.arrivals.push({ atMs: this.timers.nowMs(), text: bytes.toString('latin1') });
      return this.takes;
    },
    finish: (ending) => {
      this.ending = ending;
      this.endedAtMs = this.timers.nowMs();
    },
    onRoom: () => {
      this.rooms += 1;
    },
  });

  constructor(...toxics: readonly PlannedToxic[]) {
    this.pipe.setToxics(toxics);
  }

  push(text: string): boolean {
    const bytes = Buffer.from(text, 'latin1');
    return this.pipe.push(bytes, 0, bytes.length);
  }

  get text(): string {
    return this.arrivals.map(({ text }) => text).join('');
  }
}

export function planned(create: () => Toxic, seed = 1): PlannedToxic {
  return { key: {}, create, random: createSeededRandom(seed) };
}

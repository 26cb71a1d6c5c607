/**
 * Faults of connections: the toxics of toxiproxy, with its published semantics (toxics/*.go of v2).
 *
 *   toxic     what happens to the bytes of one direction, as a generator: it asks for chunks, sleeps, emits. No I/O, no
 *             clock of its own, so that a test drives it step by step
 *   chunk     what one read brought, at most 32 KiB, with the moment it arrived
 *   pipe      one direction of a connection: the chain of its toxics, in the order listed (toxic-pipe.ts)
 *   seat      a connection whose toxics come and go while it lives (toxic-desk.ts)
 *   upstream / downstream   the direction of the bytes: towards the server, towards the client
 *
 * A toxic must not look into what is sent. Without toxics nothing here takes part in a connection.
 */
import type { Random } from '../../shared/random.ts';

export interface Chunk {
  readonly bytes: Buffer;
  /** Monotonic; when it arrived, or should have, had the toxics before been the network. */
  readonly atMs: number;
}

/** What a toxic wants next. */
export type Step =
  | {
      readonly kind: 'take';
      /** `null`: as long as it takes. */
      readonly withinMs: number | null;
    }
  | { readonly kind: 'sleep'; readonly ms: number }
  | { readonly kind: 'emit'; readonly chunk: Chunk };

/** `end`: nothing more comes. `interrupted`: the toxic is taken away, and returns after what it holds was emitted. */
export type Outcome = Chunk | 'end' | 'elapsed' | 'interrupted';

/**
 * How a toxic is over: `pass` hands on the end that came, `close` and `reset` end the connection, `interrupted` leaves it
 * to the others.
 */
export type Verdict = 'pass' | 'close' | 'reset' | 'interrupted';

export type ToxicRun = Generator<Step, Verdict, Outcome>;

export interface ToxicMeans {
  nowMs(): number;
  readonly random: Random;
}

export interface Toxic {
  /** Chunks that wait for it before the sender is held up. */
  readonly capacityChunks: number;
  /** Taking it away closes the connection: what it swallowed is missing. */
  readonly closesOnRemoval: boolean;
  run(means: ToxicMeans): ToxicRun;
}

export const takeStep: Step = { kind: 'take', withinMs: null };

export function isChunk(outcome: Outcome): outcome is Chunk {
  return typeof outcome === 'object';
}

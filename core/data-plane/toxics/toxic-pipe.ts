import type { Random } from '../../shared/random.ts';
import { holdBytes } from '../wire/held-bytes.ts';
import type { Toxic } from './toxic.ts';
import { type Ending, type LinkOutput, ToxicLink, type ToxicTimers } from './toxic-link.ts';

/** A toxic that a direction is under. The same `key`: it stays as it is, with what it counts and holds. */
export interface PlannedToxic {
  readonly key: object;
  readonly create: () => Toxic;
  readonly random: Random;
}

export interface PipeEnd {
  /** False: nothing more until `resume`. The bytes are the receiver's. */
  send(bytes: Buffer): boolean;
  /** Once; nothing follows. */
  finish(ending: Ending): void;
  /** After `push` returned false: there is room again. */
  onRoom(): void;
}

interface Stage {
  readonly key: object;
  readonly link: ToxicLink;
}

/** toxiproxy reads so much at once; sizes and pauses of toxics depend on it. */
const maxChunkBytes = 32 * 1024;

/** One direction of a connection, through its toxics in order. What waits is bounded, and holds the sender up. */
export class ToxicPipe {
  readonly #timers: ToxicTimers;
  readonly #end: PipeEnd;
  #stages: readonly Stage[] = [];
  #endHasRoom = true;
  #owesRoom = false;
  #isFinished = false;
  #isChanging = false;
  readonly #sink: LinkOutput;
  /** Came to the end while the receiver took nothing. */
  readonly #held: Buffer[] = [];
  #heldEnding: Ending | null = null;
  #heldBytes = 0;

  constructor(timers: ToxicTimers, end: PipeEnd) {
    this.#timers = timers;
    this.#end = end;
    const hasRoom = () => this.#endHasRoom && this.#held.length === 0;
    this.#sink = {
      get hasRoom() {
        return hasRoom();
      },
      put: (chunk) => this.#deliver(chunk.bytes),
      finish: (ending) => this.#finish(ending),
    };
  }

  /** Bytes that wait. */
  get bufferedBytes(): number {
    return this.#stages.reduce((sum, { link }) => sum + link.queuedBytes, this.#heldBytes);
  }

  /** Nothing to do: what is pushed now would leave at once. */
  get isIdle(): boolean {
    return this.#stages.length === 0 && this.#held.length === 0 && this.#endHasRoom;
  }

  /** Whether the sender may go on. */
  get hasRoom(): boolean {
    return this.#first.hasRoom;
  }

  /** Takes a copy of `bytes[start, end)`. False: no more until `onRoom`. */
  push(bytes: Buffer, start: number, end: number): boolean {
    const atMs = this.#timers.nowMs();
    for (let at = start; at < end; at += maxChunkBytes) {
      const piece = Buffer.from(bytes.subarray(at, Math.min(end, at + maxChunkBytes)));
      this.#first.put({ bytes: piece, atMs });
    }
    this.#owesRoom = !this.#first.hasRoom;
    return !this.#owesRoom;
  }

  /** Whether the end has got through. */
  get isFinished(): boolean {
    return this.#isFinished;
  }

  /** The sender has ended, or is lost. */
  finish(ending: Ending): void {
    this.#first.finish(ending);
  }

  /** The receiver takes nothing until `resume`. */
  hold(): void {
    this.#endHasRoom = false;
  }

  resume(): void {
    if (this.#endHasRoom || this.#isFinished) return;
    this.#endHasRoom = true;
    this.#drainHeld();
    this.#pump();
  }

  /** Puts the toxics in force that are listed, in this order; the others are taken away and what they hold moves on. */
  setToxics(planned: readonly PlannedToxic[]): void {
    if (this.#isFinished || isSame(this.#stages, planned)) return;
    const kept = keepsPlace(this.#stages, planned);
    // Room that is made meanwhile is used afterwards: nothing may be put into a toxic that is on its way out.
    this.#isChanging = true;
    // The last one first: what it holds goes before what those ahead of it hold.
    for (const stage of [...this.#stages].reverse()) {
      if (kept.has(stage.key)) continue;
      stage.link.remove();
      this.#stages = this.#stages.filter((other) => other !== stage);
    }
    const known = new Map(this.#stages.map((stage) => [stage.key, stage]));
    this.#stages = planned.map((toxic) => known.get(toxic.key) ?? this.#begin(toxic));
    this.#isChanging = false;
    this.#pump();
  }

  /** The connection is gone. */
  discard(): void {
    this.#isFinished = true;
    for (const { link } of this.#stages) link.discard();
    this.#stages = [];
    this.#held.length = 0;
    this.#count(-this.#heldBytes);
  }

  #count(bytes: number): void {
    this.#heldBytes += bytes;
    holdBytes(bytes);
  }

  get #first(): LinkOutput {
    return this.#stages[0]?.link ?? this.#sink;
  }

  #begin({ key, create, random }: PlannedToxic): Stage {
    const means = { nowMs: () => this.#timers.nowMs(), random };
    const output = () => this.#after(link);
    const link: ToxicLink = new ToxicLink(create(), means, this.#timers, output, () => this.#pump());
    return { key, link };
  }

  #after(link: ToxicLink): LinkOutput {
    const index = this.#stages.findIndex((stage) => stage.link === link);
    return this.#stages[index + 1]?.link ?? this.#sink;
  }

  /** From the end backwards, as room is made there; then the sender. */
  #pump(): void {
    if (this.#isFinished || this.#isChanging) return;
    for (const { link } of [...this.#stages].reverse()) link.pump();
    if (!this.#owesRoom || !this.#first.hasRoom || this.#isFinished) return;
    this.#owesRoom = false;
    this.#end.onRoom();
  }

  #deliver(bytes: Buffer): void {
    if (this.#isFinished) return;
    if (!this.#endHasRoom) {
      this.#held.push(bytes);
      this.#count(bytes.length);
    } else if (!this.#end.send(bytes)) {
      this.#endHasRoom = false;
    }
  }

  #drainHeld(): void {
    while (this.#endHasRoom && !this.#isFinished) {
      const bytes = this.#held.shift();
      if (bytes === undefined) break;
      this.#count(-bytes.length);
      if (!this.#end.send(bytes)) this.#endHasRoom = false;
    }
    if (this.#held.length === 0 && this.#heldEnding !== null) this.#finish(this.#heldEnding);
  }

  #finish(ending: Ending): void {
    if (this.#isFinished) return;
    if (this.#held.length > 0 && ending !== 'reset') {
      this.#heldEnding = ending;
      return;
    }
    this.discard();
    this.#end.finish(ending);
  }
}

/** Those that stay: listed, and in the same order among themselves. To move one would put its bytes out of order. */
function keepsPlace(stages: readonly Stage[], planned: readonly PlannedToxic[]): ReadonlySet<object> {
  const kept = new Set<object>();
  let next = 0;
  for (const { key } of planned) {
    const index = stages.findIndex((stage) => stage.key === key);
    if (index < next) continue;
    kept.add(key);
    next = index + 1;
  }
  return kept;
}

function isSame(stages: readonly Stage[], planned: readonly PlannedToxic[]): boolean {
  return stages.length === planned.length && stages.every(({ key }, index) => key === planned[index]?.key);
}

import { allowance, holdBytes } from '../wire/held-bytes.ts';
import type { Chunk, Outcome, Step, Toxic, ToxicMeans, ToxicRun, Verdict } from './toxic.ts';

/** How bytes of one direction end: the sender's FIN, the sender's loss, or a toxic that closes or resets. */
export type Ending = 'end' | 'broken' | 'close' | 'reset';

/** Timers, so that tests need no time. */
export interface ToxicTimers {
  nowMs(): number;
  /** Calls `callback` once; returns what takes that back. */
  after(ms: number, callback: () => void): () => void;
}

/** Where a link's output goes: the next link or the end of the pipe. */
export interface LinkOutput {
  /** Whether it takes a chunk now. */
  readonly hasRoom: boolean;
  put(chunk: Chunk): void;
  finish(ending: Ending): void;
}

/** Chunks of a toxic with a long queue may be large: so many bytes hold the sender up as well. */
const maxQueuedBytes = 4 * 1024 * 1024;

/** One toxic at work: its queue, and the step at which it waits. */
export class ToxicLink implements LinkOutput {
  readonly #toxic: Toxic;
  readonly #run: ToxicRun;
  readonly #timers: ToxicTimers;
  readonly #output: () => LinkOutput;
  readonly #onRoom: () => void;
  readonly #queue: Chunk[] = [];
  #step: Step | null = null;
  #ending: Ending | null = null;
  #cancelTimer: (() => void) | null = null;
  #isOver = false;
  #hasPassed = false;
  #removing = false;
  #pumping = false;
  queuedBytes = 0;

  /** `output` is asked each time: the chain changes. `onRoom`: `hasRoom` was false and is true again. */
  constructor(toxic: Toxic, means: ToxicMeans, timers: ToxicTimers, output: () => LinkOutput, onRoom: () => void) {
    this.#toxic = toxic;
    this.#run = toxic.run(means);
    this.#timers = timers;
    this.#output = output;
    this.#onRoom = onRoom;
    this.#follow(this.#run.next());
  }

  get hasRoom(): boolean {
    return (
      this.#isOver || (this.#queue.length < this.#toxic.capacityChunks && this.queuedBytes < allowance(maxQueuedBytes))
    );
  }

  put(chunk: Chunk): void {
    if (this.#isOver) return;
    this.#queue.push(chunk);
    this.#count(chunk.bytes.length);
    this.pump();
  }

  finish(ending: Ending): void {
    if (this.#isOver) {
      // The sender that had ended is lost: whoever has not heard of the end yet hears of that.
      if (ending === 'broken' && this.#hasPassed) this.#output().finish(ending);
      return;
    }
    if (this.#ending !== null && ending !== 'broken') return;
    this.#ending = ending;
    this.pump();
  }

  /** Goes on as far as possible; also called when the output has room again. */
  pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    while (!this.#isOver && this.#advance());
    this.#pumping = false;
  }

  /** Takes the toxic away: what it holds and what waits goes to the output, whatever room there is. */
  remove(): void {
    if (this.#isOver) return;
    this.#removing = true;
    this.#stopTimer();
    this.pump();
  }

  /** Forgets everything. */
  discard(): void {
    this.#isOver = true;
    this.#stopTimer();
    this.#queue.length = 0;
    this.#count(-this.queuedBytes);
  }

  #count(bytes: number): void {
    this.queuedBytes += bytes;
    holdBytes(bytes);
  }

  /** One step, if it can be done now. */
  #advance(): boolean {
    const step = this.#step;
    if (step === null) return false;
    if (step.kind === 'emit') return this.#emit(step.chunk);
    if (this.#removing) return this.#resume('interrupted');
    if (step.kind === 'take') return this.#take(step.withinMs);
    if (step.ms <= 0) return this.#resume('elapsed');
    this.#wait(step.ms);
    return false;
  }

  #emit(chunk: Chunk): boolean {
    const output = this.#output();
    if (!output.hasRoom && !this.#removing) return false;
    output.put(chunk);
    return this.#resume('elapsed');
  }

  #take(withinMs: number | null): boolean {
    const hadRoom = this.hasRoom;
    const chunk = this.#queue.shift();
    if (chunk !== undefined) {
      this.#count(-chunk.bytes.length);
      this.#resume(chunk);
      if (!hadRoom) this.#onRoom();
      return true;
    }
    if (this.#ending !== null) return this.#resume('end');
    if (withinMs !== null) this.#wait(withinMs);
    return false;
  }

  #resume(outcome: Outcome): boolean {
    this.#stopTimer();
    this.#follow(this.#run.next(outcome));
    return true;
  }

  #follow(result: IteratorResult<Step, Verdict>): void {
    if (result.done === true) this.#conclude(result.value);
    else this.#step = result.value;
  }

  #conclude(verdict: Verdict): void {
    const [waiting, ending] = [this.#queue.splice(0), this.#ending];
    this.discard();
    const output = this.#output();
    const made = verdict === 'interrupted' && this.#toxic.closesOnRemoval ? 'close' : verdict;
    if (made === 'close' || made === 'reset') {
      output.finish(made);
      return;
    }
    this.#hasPassed = true;
    for (const chunk of waiting) output.put(chunk);
    if (ending !== null) output.finish(ending);
  }

  #wait(ms: number): void {
    if (this.#cancelTimer !== null) return;
    this.#cancelTimer = this.#timers.after(ms, () => {
      this.#cancelTimer = null;
      if (!this.#isOver && this.#resume('elapsed')) this.pump();
    });
  }

  #stopTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }
}

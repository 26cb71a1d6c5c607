import type { CallResponse } from '../../contract/contract.ts';

/** A page repeats a lost call at once: the newest are enough. */
const mostKept = 32;
const validId = /^[\w-]{8,64}$/;

/**
 * A call that is sent again, because its answer never arrived, is not done again: it gets the answer of the first time.
 * A browser drops what is under way when the machine gets or loses a network, which every container that starts does.
 */
export class RepeatedCalls {
  readonly #answers = new Map<string, Promise<CallResponse>>();

  /** @param id of the call as its sender counts it, the same when it is repeated; without a valid one it is always done. */
  answer(id: string | undefined, call: () => Promise<CallResponse>): Promise<CallResponse> {
    if (id === undefined || !validId.test(id)) return call();
    const known = this.#answers.get(id);
    if (known) return known;
    const answer = call();
    this.#answers.set(id, answer);
    const [oldest] = this.#answers.keys();
    if (this.#answers.size > mostKept && oldest !== undefined) this.#answers.delete(oldest);
    return answer;
  }
}

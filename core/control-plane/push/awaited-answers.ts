import { MeshError } from '../../contract/errors.ts';
import type { FromSidecar } from '../../model/control-stream.ts';

interface Waiter {
  readonly resolve: (message: FromSidecar) => void;
  readonly reject: (error: Error) => void;
  readonly isAnswer: (message: FromSidecar) => boolean;
  readonly timer: NodeJS.Timeout;
}

/** Who waits for which message of one sidecar, and for how long. */
export class AwaitedAnswers {
  readonly #waiters = new Set<Waiter>();
  #hasEnded = false;

  /**
   * Resolves with the first message that is the answer. Rejects with SIDECAR_UNREACHABLE when there is none in time, or
   * none can come any more.
   * @param otherwise what the sidecar failed to do, in the past: "did not say hello"
   */
  wait(isAnswer: (message: FromSidecar) => boolean, timeoutMs: number, otherwise: string): Promise<FromSidecar> {
    const answer = new Promise<FromSidecar>((resolve, reject) => {
      if (this.#hasEnded) {
        reject(new MeshError('SIDECAR_UNREACHABLE', 'The connection to the sidecar is closed.'));
        return;
      }
      const timer = setTimeout(() => {
        this.#settle(waiter);
        reject(new MeshError('SIDECAR_UNREACHABLE', `The sidecar ${otherwise} within ${timeoutMs} ms.`));
      }, timeoutMs);
      const waiter: Waiter = { resolve, reject, isAnswer, timer };
      this.#waiters.add(waiter);
    });
    // The one who asked awaits it; a second handler keeps an early rejection from counting as unhandled.
    answer.catch(() => undefined);
    return answer;
  }

  take(message: FromSidecar): void {
    for (const waiter of this.#waiters) {
      if (!waiter.isAnswer(message)) continue;
      this.#settle(waiter);
      waiter.resolve(message);
    }
  }

  /** No message comes any more. */
  end(reason: string): void {
    this.#hasEnded = true;
    for (const waiter of [...this.#waiters]) {
      this.#settle(waiter);
      waiter.reject(new MeshError('SIDECAR_UNREACHABLE', `The connection to the sidecar ended: ${reason}.`));
    }
  }

  #settle(waiter: Waiter): void {
    clearTimeout(waiter.timer);
    this.#waiters.delete(waiter);
  }
}

import type { Clock } from '../../shared/clock.ts';
import { dispatchNumber } from './output.ts';

/** A clock that is read once per dispatch at most: what happens in one of them happens at one time. */
export function createDispatchClock(clock: Clock): Clock {
  let readIn = 0;
  let monotonicMs = 0;
  return {
    nowMs: () => clock.nowMs(),
    monotonicMs: () => {
      const dispatch = dispatchNumber();
      if (dispatch === 0 || dispatch !== readIn) {
        readIn = dispatch;
        monotonicMs = clock.monotonicMs();
      }
      return monotonicMs;
    },
  };
}

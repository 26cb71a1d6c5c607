import type { Transport } from '../../contract/contract.ts';
import type { Dispatch } from '../../contract/dispatch.ts';
import type { EventHub } from './event-hub.ts';

/** For whoever lives in the same process: the desktop's IPC, tests. */
export function createInProcessTransport(call: Dispatch, hub: EventHub): Transport {
  return {
    call,
    listen(onEvent, onState) {
      const stop = hub.listen(onEvent);
      onState(true);
      return stop;
    },
  };
}

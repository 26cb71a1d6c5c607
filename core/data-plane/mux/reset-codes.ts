import type { CancelReason } from '../http/streams.ts';
import type { MuxErrorCode } from './frame.ts';

/** Why a stream ended, in the words of an exchange. */
export function toReason(code: MuxErrorCode): CancelReason {
  switch (code) {
    case 'none':
      return 'cancelled';
    case 'flow-control':
      return 'protocol';
    default:
      return code;
  }
}

import type { CancelReason } from '../http/streams.ts';
import { errorCode, nameOfError } from './protocol.ts';
import type { ResetOrigin } from './stream.ts';

const codes: Readonly<Record<CancelReason, number>> = {
  cancelled: errorCode.cancel,
  refused: errorCode.refusedStream,
  protocol: errorCode.protocolError,
  lost: errorCode.internalError,
  timeout: errorCode.cancel,
  overload: errorCode.enhanceYourCalm,
  internal: errorCode.internalError,
};

/** How a peer is told why a stream ends early. */
export function toCode(reason: CancelReason): number {
  return codes[reason];
}

/** Why a stream ended, from the code it was reset with. A connection that is gone takes its streams with it: `lost`. */
export function toReason(code: number, origin: ResetOrigin): CancelReason {
  if (origin === 'connection') return code === errorCode.cancel ? 'lost' : 'protocol';
  switch (code) {
    case errorCode.noError:
    case errorCode.cancel:
      return 'cancelled';
    case errorCode.refusedStream:
      return 'refused';
    case errorCode.enhanceYourCalm:
      return 'overload';
    case errorCode.internalError:
      return 'internal';
    default:
      return 'protocol';
  }
}

export function describeReset(code: number, origin: ResetOrigin): string {
  if (origin === 'peer') return `the stream was reset with ${nameOfError(code)}`;
  return code === errorCode.cancel ? 'the connection was lost' : `the response broke HTTP/2: ${nameOfError(code)}`;
}

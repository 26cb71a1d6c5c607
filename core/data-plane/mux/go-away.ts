import {
  frameType,
  headerBytes,
  MuxError,
  type MuxErrorCode,
  readUint32,
  toErrorCode,
  toErrorNumber,
  writeHeader,
  writeUint32,
} from './frame.ts';
import type { Outbox } from './outbox.ts';

/** The end of a session, announced: streams above `last` were not looked at and may be repeated elsewhere. */
export interface GoAway {
  readonly last: number;
  /** `none`: a drain. */
  readonly code: MuxErrorCode;
  /** For logs; names the rule that was broken. */
  readonly reason: string;
}

const maxReasonBytes = 256;
const fixedBytes = 8;

export function sendGoAway(outbox: Outbox, { last, code, reason }: GoAway): void {
  const text = Buffer.from(reason.slice(0, maxReasonBytes), 'latin1');
  const at = outbox.reserve(headerBytes + fixedBytes + text.length);
  const { output } = outbox;
  let end = writeHeader(output, at, frameType.goAway, fixedBytes + text.length, 0);
  end = writeUint32(output, end, last);
  end = writeUint32(output, end, toErrorNumber(code));
  outbox.commit(end + text.copy(output, end));
}

/** Throws `MuxError`. */
export function readGoAway(bytes: Buffer, start: number, end: number): GoAway {
  const size = end - start;
  if (size < fixedBytes || size > fixedBytes + maxReasonBytes) {
    throw new MuxError('protocol', `GOAWAY with ${size} bytes of payload`);
  }
  return {
    last: readUint32(bytes, start),
    code: toErrorCode(readUint32(bytes, start + 4)),
    // The peer's words, fit for a log.
    reason: bytes.toString('latin1', start + fixedBytes, end).replace(/[^ -~]/g, '?'),
  };
}

import type { BodyKind, ResponseHead } from './codec.ts';
import { defaultReuseMs, keepAliveMarginMs, maxReuseMs, meshReuseMs } from './limits.ts';
import type { BodyForm, ServerLoss } from './streams.ts';

/** RFC 9112 section 6.3. */
export function bodyKind(head: ResponseHead, headOnly: boolean): BodyKind {
  if (headOnly || head.status === 204 || head.status === 304) return 'none';
  if (head.chunked) return 'chunked';
  return head.contentLength >= 0 ? 'length' : 'until-close';
}

/** `decode`: the chunks of the coding are taken off. */
export function formOf(kind: BodyKind, decode: boolean): BodyForm {
  if (kind === 'until-close' || decode) return 'plain';
  return kind;
}

/** How long a connection may be idle before it is used again: as the server promises, less a margin. */
export function reuseMs({ keepAliveSeconds }: ResponseHead, isMesh: boolean): number {
  if (keepAliveSeconds < 0) return isMesh ? meshReuseMs : defaultReuseMs;
  return Math.min(keepAliveSeconds * 1_000 - keepAliveMarginMs, maxReuseMs);
}

const closedBefore = 'upstream closed the connection before it answered\n';

/** The connection ended before the answer did. */
export const lostLoss: ServerLoss = { reason: 'lost', message: closedBefore, unprocessed: false, stale: false };
/** It was kept from before, and ended without a byte of an answer. */
export const staleLoss: ServerLoss = { ...lostLoss, stale: true };
/** What was sent is no answer. */
export const protocolLoss: ServerLoss = {
  reason: 'protocol',
  message: 'the upstream sent no valid HTTP/1.1 response\n',
  unprocessed: false,
  stale: false,
};

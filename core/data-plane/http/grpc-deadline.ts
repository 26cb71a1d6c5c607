import { decideGrpcDeadline, formatGrpcTimeout, parseGrpcTimeout } from '../../policy/grpc-timeout.ts';
import type { HttpCodec } from './codec.ts';
import { editHead } from './edit-head.ts';
import { http2Protocol } from './http2-protocol.ts';
import type { KeptHead } from './kept-head.ts';
import { equalsIgnoringCase, toOctets } from './octets.ts';

const headerName = 'grpc-timeout';
const headerOctets = toOctets(headerName);

/**
 * How long a request may take, given the times of its route: milliseconds, `null` for ever. A request of gRPC may ask for less
 * by itself, and its kept head says what it has got. Nothing is looked for where neither side has set a time.
 */
export function limitTime(
  head: KeptHead,
  routeMs: number | null,
  perTryMs: number | null,
  codec: HttpCodec,
): number | null {
  if (!head.hasGrpcTimeout && routeMs === null && perTryMs === null) return null;
  if (http2Protocol(head) !== 'grpc') return routeMs;
  const { timeoutMs, toldMs } = decideGrpcDeadline(readTimeout(head), routeMs, perTryMs);
  if (toldMs !== null) tell(head, toldMs, codec);
  return timeoutMs;
}

function readTimeout({ bytes, count, nameStart, nameEnd, valueStart, valueEnd }: KeptHead): number | null {
  for (let index = 0; index < count; index += 1) {
    const start = nameStart[index] ?? 0;
    if ((nameEnd[index] ?? 0) - start !== headerOctets.length || !equalsIgnoringCase(bytes, start, headerOctets))
      continue;
    return parseGrpcTimeout(bytes.toString('latin1', valueStart[index], valueEnd[index]));
  }
  return null;
}

function tell(head: KeptHead, milliseconds: number, codec: HttpCodec): void {
  const set: [string, string][] = [[headerName, formatGrpcTimeout(milliseconds)]];
  const edited = editHead(head.bytes, head, [{ remove: [], set, add: [] }], (value) => value);
  if (codec.parseRequest(edited, 0, edited.length) === 'complete') head.keep(edited, codec.request);
}

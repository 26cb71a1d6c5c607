import type { KeptHead } from './kept-head.ts';
import { equalsIgnoringCase, toOctets } from './octets.ts';

const contentType = toOctets('content-type');
const grpcType = toOctets('application/grpc');

/** What a request of HTTP/2 is counted as: gRPC says so in its content type, alone or followed by `+`, `;` or a blank. */
export function http2Protocol({ bytes, count, nameStart, nameEnd, valueStart, valueEnd }: KeptHead): 'grpc' | 'http/2' {
  for (let index = 0; index < count; index += 1) {
    const name = nameStart[index] ?? 0;
    if ((nameEnd[index] ?? 0) - name !== contentType.length || !equalsIgnoringCase(bytes, name, contentType)) continue;
    const start = valueStart[index] ?? 0;
    const length = (valueEnd[index] ?? 0) - start;
    if (length < grpcType.length || !equalsIgnoringCase(bytes, start, grpcType)) return 'http/2';
    const next = bytes[start + grpcType.length];
    return length === grpcType.length || next === 43 || next === 59 || next === 32 ? 'grpc' : 'http/2';
  }
  return 'http/2';
}

/**
 * A tunnel asked for with Upgrade in HTTP/1.1 is asked for with CONNECT in HTTP/2, RFC 8441: 101 there is 200 here, and neither
 * Upgrade nor the WebSocket's key and its proof have a place.
 */
import { createHash } from 'node:crypto';
import type { HeadFields, RequestHead, ResponseHead } from '../http/codec.ts';
import { createHttpCodec } from '../http/head-parser.ts';

const codec = createHttpCodec();
/** RFC 6455 section 1.3. */
const keySuffix = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const onlyInHttp1 = new Set(['connection', 'upgrade', 'sec-websocket-accept', 'content-length', 'transfer-encoding']);

interface TunnelHead {
  readonly bytes: Buffer;
  readonly head: ResponseHead;
}

/** The head of a 101 as HTTP/2 says it. */
export function toConnectAnswer(bytes: Buffer, head: ResponseHead): TunnelHead {
  return parse('HTTP/1.1 200 OK\r\n', bytes, head);
}

/** The head of a 2xx to CONNECT as the answer to the Upgrade that was asked for; `keyProof`: see `proofOf`. */
export function toUpgradeAnswer(
  bytes: Buffer,
  head: ResponseHead,
  protocol: string,
  keyProof: string | null,
): TunnelHead {
  const proof = keyProof === null ? '' : `sec-websocket-accept: ${keyProof}\r\n`;
  const start = `HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: ${protocol}\r\n${proof}`;
  return parse(start, bytes, head);
}

/** What proves to a client of HTTP/1.1 that its WebSocket was understood; `null`: it has sent no key. */
export function proofOf(bytes: Buffer, head: RequestHead): string | null {
  const key = fieldOf(bytes, head, 'sec-websocket-key');
  return key === null
    ? null
    : createHash('sha1')
        .update(key + keySuffix)
        .digest('base64');
}

export function upgradeOf(bytes: Buffer, head: RequestHead): string {
  return fieldOf(bytes, head, 'upgrade') ?? '';
}

function fieldOf(bytes: Buffer, { count, nameStart, nameEnd, valueStart, valueEnd }: HeadFields, name: string) {
  for (let index = 0; index < count; index += 1) {
    if (bytes.toString('latin1', nameStart[index], nameEnd[index]).toLowerCase() !== name) continue;
    return bytes.toString('latin1', valueStart[index], valueEnd[index]);
  }
  return null;
}

function parse(start: string, bytes: Buffer, head: HeadFields): TunnelHead {
  let text = start;
  const { count, nameStart, nameEnd, valueStart, valueEnd, dropped } = head;
  for (let index = 0; index < count; index += 1) {
    const name = bytes.toString('latin1', nameStart[index], nameEnd[index]);
    if (dropped[index] === 1 || onlyInHttp1.has(name.toLowerCase())) continue;
    text += `${name}: ${bytes.toString('latin1', valueStart[index], valueEnd[index])}\r\n`;
  }
  const made = Buffer.from(`${text}\r\n`, 'latin1');
  if (codec.parseResponse(made, 0, made.length) === 'complete') return { bytes: made, head: codec.response };
  // Lines that do not fit beside ours; the tunnel matters more than they do.
  const bare = Buffer.from(`${start}\r\n`, 'latin1');
  codec.parseResponse(bare, 0, bare.length);
  return { bytes: bare, head: codec.response };
}

import { expect } from 'vitest';
import type { RequestHead, ResponseHead } from '../../core/data-plane/http/codec.ts';
import { createHttpCodec } from '../../core/data-plane/http/head-parser.ts';
import { createSession } from './http2-session.ts';
import { exchange } from './memory-wire.ts';

const codec = createHttpCodec();
export const asSent = { target: null, host: null, requestId: null };

export function requestOf(text: string): { bytes: Buffer; head: RequestHead } {
  const bytes = Buffer.from(text.replaceAll('|', '\r\n'));
  expect(codec.parseRequest(bytes, 0, bytes.length)).toBe('complete');
  return { bytes, head: codec.request };
}

export function responseOf(text: string): { bytes: Buffer; head: ResponseHead } {
  const bytes = Buffer.from(text.replaceAll('|', '\r\n'));
  expect(codec.parseResponse(bytes, 0, bytes.length)).toBe('complete');
  return { bytes, head: codec.response };
}

export const simple = 'GET /a?b HTTP/1.1|host: shop|x-test: 1||';
export const ok = 'HTTP/1.1 200 OK|content-type: text/plain||';

/** A client and a server session with a wire between them. */
export async function createPair() {
  const client = createSession('client');
  const server = createSession('server');
  await exchange(client.wire, server.wire);
  const open = (text: string, isLast = true) => {
    const { bytes, head } = requestOf(text);
    return client.session.open(bytes, head, asSent, isLast, client.recorder);
  };
  const respond = (id: number, text: string, isLast = false) => {
    const { bytes, head } = responseOf(text);
    server.session.respond(server.recorder.stream(id), bytes, head, isLast);
  };
  return { client, server, open, respond, carry: (size?: number) => exchange(client.wire, server.wire, size) };
}

import { Duplex } from 'node:stream';
import { connect } from 'node:tls';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maxClientHelloBytes, parseClientHello } from '../../../core/data-plane/listener/client-hello.ts';

/** The first flight of Node's own TLS client. */
async function helloOf(options: { alpn?: string[]; servername?: string; maxVersion?: 'TLSv1.2' }): Promise<Buffer> {
  return new Promise((resolve) => {
    const stream = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer) => resolve(chunk),
    });
    const socket = connect({
      socket: stream,
      ...(options.alpn ? { ALPNProtocols: options.alpn } : {}),
      ...(options.servername ? { servername: options.servername } : {}),
      ...(options.maxVersion ? { maxVersion: options.maxVersion } : {}),
    });
    socket.on('error', () => undefined);
  });
}

/** Cuts the handshake message of a hello into records of `size` bytes. */
function fragment(hello: Buffer, size: number): Buffer {
  const message = hello.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) {
    const part = message.subarray(at, at + size);
    records.push(Buffer.from([22, 3, 1, part.length >> 8, part.length & 0xff]), part);
  }
  return Buffer.concat(records);
}

describe('parseClientHello', () => {
  it('reads the ALPN list and the server name of a real client', async () => {
    const hello = await helloOf({ alpn: ['meshdesk-tcp', 'h2'], servername: 'Orders.shop' });
    expect(parseClientHello(hello)).toEqual({ alpn: ['meshdesk-tcp', 'h2'], serverName: 'orders.shop' });
  });

  it('reads a client without extensions of interest, and one of TLS 1.2', async () => {
    expect(parseClientHello(await helloOf({}))).toEqual({ alpn: [], serverName: null });
    const old = await helloOf({ maxVersion: 'TLSv1.2', servername: 'db' });
    expect(parseClientHello(old)).toEqual({ alpn: [], serverName: 'db' });
  });

  it('wants more for every proper prefix, whatever the records', async () => {
    const hello = await helloOf({ alpn: ['meshdesk-http/1.1'], servername: 'orders' });
    const whole = parseClientHello(hello);
    for (const bytes of [hello, fragment(hello, 1), fragment(hello, 37), fragment(hello, 200)]) {
      for (let length = 0; length < bytes.length; length += 1)
        expect(parseClientHello(bytes.subarray(0, length))).toBe('more');
      expect(parseClientHello(bytes)).toEqual(whole);
      expect(parseClientHello(Buffer.concat([bytes, Buffer.from('early data')]))).toEqual(whole);
    }
  });

  it.each([
    ['HTTP', 'GET / HTTP/1.1\r\n'],
    ['another record type', '\x17\x03\x01\x00\x05hello'],
    ['another version', '\x16\x02\x01\x00\x05hello'],
    ['a handshake that does not begin with a hello', '\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00'],
    ['an empty record', '\x16\x03\x01\x00\x00\x01'],
    ['a record that is too long', '\x16\x03\x01\xff\xff\x01\x00\x00\x01\x00'],
  ])('says of %s that it is not TLS', (_what, text) => {
    expect(parseClientHello(Buffer.from(text, 'latin1'))).toBe('not-tls');
  });

  it('takes a hello beyond the limit for TLS of somebody else', () => {
    const length = maxClientHelloBytes + 1;
    const head = Buffer.from([22, 3, 1, 0x40, 0, 1, length >> 16, (length >> 8) & 0xff, length & 0xff]);
    expect(parseClientHello(head)).toEqual({ alpn: [], serverName: null });
  });

  it('never throws and never reads out of bounds on damaged hellos', async () => {
    const hello = await helloOf({ alpn: ['a', 'b'], servername: 'x' });
    fc.assert(
      fc.property(fc.nat(hello.length - 1), fc.nat(255), (at, value) => {
        const damaged = Buffer.from(hello);
        damaged[at] = value;
        const result = parseClientHello(damaged);
        expect(result === 'more' || result === 'not-tls' || Array.isArray(result.alpn)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});

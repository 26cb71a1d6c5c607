import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32c } from '../../../core/data-plane/listener/crc32c.ts';
import {
  maxProxyHeaderBytes,
  parseProxyHeader,
  toProxyHeader,
} from '../../../core/data-plane/listener/proxy-protocol.ts';
import { parseProxyProtocol } from '../../../core/model/protocol.ts';

const text = (line: string) => Buffer.from(line, 'latin1');
const signature = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];
/** A version 2 header by hand: command and version, family, what follows. */
const v2 = (command: number, family: number, body: readonly number[]) =>
  Buffer.from([...signature, command, family, body.length >> 8, body.length & 0xff, ...body]);
const four = [10, 1, 2, 3, 192, 168, 0, 9, 0x30, 0x39, 0x00, 0x50];
const known = { source: { host: '10.1.2.3', port: 12_345 }, destination: { host: '192.168.0.9', port: 80 } };
const nobody = { source: null, destination: null };

const valid: [string, Buffer, object][] = [
  ['v1, IPv4', text('PROXY TCP4 10.1.2.3 192.168.0.9 12345 80\r\n'), known],
  [
    'v1, IPv6 in any spelling',
    text('PROXY TCP6 2001:DB8:0:0::1 ::1 1 65535\r\n'),
    { source: { host: '2001:db8::1', port: 1 }, destination: { host: '::1', port: 65_535 } },
  ],
  ['v1, unknown', text('PROXY UNKNOWN\r\n'), nobody],
  ['v1, unknown with a rest', text('PROXY UNKNOWN ffff:f...f:ffff 65535 65535\r\n'), nobody],
  ['v2, IPv4', v2(0x21, 0x11, four), known],
  ['v2, IPv4 with an extension', v2(0x21, 0x11, [...four, 0x04, 0, 2, 9, 9]), known],
  ['v2, local', v2(0x20, 0x00, []), nobody],
  ['v2, local with addresses that do not count', v2(0x20, 0x11, four), nobody],
  ['v2, Unix socket', v2(0x21, 0x31, new Array(216).fill(0)), nobody],
  ['v2, v4-mapped IPv6', v2(0x21, 0x21, [...mapped(10, 1, 2, 3), ...mapped(192, 168, 0, 9), ...four.slice(8)]), known],
];

function mapped(...ip: number[]): number[] {
  return [...new Array(10).fill(0), 0xff, 0xff, ...ip];
}

describe('parseProxyHeader', () => {
  it.each(valid)('reads %s, and wants more for every proper prefix', (_name, header, addresses) => {
    for (let length = 0; length < header.length; length += 1) {
      expect(parseProxyHeader(header.subarray(0, length))).toBe('more');
    }
    for (const rest of ['', 'GET / HTTP/1.1\r\n', '\r\n', '\x16\x03']) {
      expect(parseProxyHeader(Buffer.concat([header, text(rest)]))).toEqual({ ...addresses, length: header.length });
    }
  });

  it.each(['GET / HTTP/1.1\r\n', 'proxy TCP4 1.1.1.1 2.2.2.2 1 2\r\n', 'PROXX', '\x16\x03\x01', '\r\n\r\nX', '\0'])(
    '%j begins no header',
    (begin) => {
      expect(parseProxyHeader(text(begin))).toBe('absent');
    },
  );

  it.each([
    ['a port with a leading zero', text('PROXY TCP4 10.1.2.3 192.168.0.9 012345 80\r\n')],
    ['a port that is too large', text('PROXY TCP4 10.1.2.3 192.168.0.9 65536 80\r\n')],
    ['a signed port', text('PROXY TCP4 10.1.2.3 192.168.0.9 +1 80\r\n')],
    ['two spaces', text('PROXY TCP4  10.1.2.3 192.168.0.9 1 80\r\n')],
    ['a tab', text('PROXY TCP4\t10.1.2.3 192.168.0.9 1 80\r\n')],
    ['a space at the end', text('PROXY TCP4 10.1.2.3 192.168.0.9 1 80 \r\n')],
    ['a field too many', text('PROXY TCP4 10.1.2.3 192.168.0.9 1 80 5\r\n')],
    ['a field too few', text('PROXY TCP4 10.1.2.3 192.168.0.9 1\r\n')],
    ['an octal address', text('PROXY TCP4 010.1.2.3 192.168.0.9 1 80\r\n')],
    ['a short address', text('PROXY TCP4 10.1 192.168.0.9 1 80\r\n')],
    ['IPv6 called IPv4', text('PROXY TCP4 ::1 ::1 1 80\r\n')],
    ['IPv4 called IPv6', text('PROXY TCP6 10.1.2.3 10.1.2.3 1 80\r\n')],
    ['an address with a zone', text('PROXY TCP6 fe80::1%eth0 ::1 1 80\r\n')],
    ['a family nobody knows', text('PROXY UDP4 10.1.2.3 192.168.0.9 1 80\r\n')],
    ['UNKNOWN with something stuck to it', text('PROXY UNKNOWNX\r\n')],
    ['LF without CR', text('PROXY TCP4 10.1.2.3 192.168.0.9 1 80\nGET / HTTP/1.1\r\n')],
    ['CR without LF', text('PROXY TCP4 10.1.2.3 192.168.0.9 1 80\rGET')],
    ['a line without end', text(`PROXY UNKNOWN ${'f'.repeat(107)}`)],
    ['a CRLF beyond 107 bytes', text(`PROXY UNKNOWN ${'f'.repeat(100)}\r\n`)],
    ['v2 of another version', v2(0x31, 0x11, four)],
    ['v2 with an unknown command', v2(0x22, 0x11, four)],
    ['v2 too short for its addresses', v2(0x21, 0x11, four.slice(1))],
    ['v2 with a cut extension', v2(0x21, 0x11, [...four, 0x04, 0])],
    ['v2 with an extension that runs over', v2(0x21, 0x11, [...four, 0x04, 0, 5, 1])],
    ['v2 with a wrong checksum', v2(0x21, 0x11, [...four, 0x03, 0, 4, 1, 2, 3, 4])],
    ['v2 with a checksum of the wrong size', v2(0x21, 0x11, [...four, 0x03, 0, 1, 1])],
    ['v2 that announces more than is allowed', Buffer.from([...signature, 0x21, 0x11, 0xff, 0xff])],
  ])('refuses %s', (_name, header) => {
    expect(parseProxyHeader(header)).toEqual({ error: expect.any(String) });
  });

  it('takes a header whose checksum is right', () => {
    const header = v2(0x21, 0x11, [...four, 0x03, 0, 4, 0, 0, 0, 0]);
    header.writeUInt32BE(crc32c(header), header.length - 4);
    expect(parseProxyHeader(header)).toMatchObject(known);
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  });

  it('never fails on anything, and is decided before the longest header is full', () => {
    const start = fc.constantFrom(
      text('PROXY '),
      Buffer.from(signature),
      Buffer.from([...signature, 0x21, 0x11]),
      text(''),
    );
    fc.assert(
      fc.property(start, fc.uint8Array({ minLength: 0, maxLength: 300 }), (before, after) => {
        const result = parseProxyHeader(Buffer.concat([before, after]));
        if (result === 'more') expect(before.length + after.length).toBeLessThan(maxProxyHeaderBytes);
      }),
    );
    expect(parseProxyHeader(Buffer.concat([text('PROXY '), Buffer.alloc(200, 0x41)]))).toEqual({
      error: expect.any(String),
    });
  });
});

describe('toProxyHeader', () => {
  const port = fc.integer({ min: 0, max: 65_535 });
  const address = fc.record({ host: fc.oneof(fc.ipV4(), fc.ipV6().map(canonical)), port });
  it.each(['v1', 'v2'] as const)('%s is read as what was written', (version) => {
    fc.assert(
      fc.property(address, address, (source, destination) => {
        const header = toProxyHeader(version, source, destination);
        expect(parseProxyHeader(header)).toEqual({ source, destination, length: header.length });
      }),
    );
  });

  it('writes the line of the specification', () => {
    const line = toProxyHeader('v1', known.source, known.destination).toString('latin1');
    expect(line).toBe('PROXY TCP4 10.1.2.3 192.168.0.9 12345 80\r\n');
    expect(toProxyHeader('v2', known.source, known.destination)).toEqual(v2(0x21, 0x11, four));
  });
});

function canonical(ip: string): string {
  const short = new URL(`http://[${ip}]`).hostname.slice(1, -1);
  return short.startsWith('::ffff:') ? '2001:db8::7' : short;
}

describe('parseProxyProtocol', () => {
  it.each([
    ['accept', { accept: true, send: null }],
    ['send-v1', { accept: false, send: 'v1' }],
    ['accept,send-v2', { accept: true, send: 'v2' }],
    ['send-v2, accept', { accept: true, send: 'v2' }],
    ['send-v1,send-v2', null],
    ['yes', null],
    ['', null],
  ])('%j means %j', (value, wanted) => {
    expect(parseProxyProtocol(value)).toEqual(wanted);
  });
});

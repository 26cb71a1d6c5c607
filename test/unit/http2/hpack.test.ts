import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FieldSink, HpackDecoder } from '../../../core/data-plane/http2/hpack-decoder.ts';
import { blockBound, HpackEncoder } from '../../../core/data-plane/http2/hpack-encoder.ts';
import { decodeHuffman } from '../../../core/data-plane/http2/huffman.ts';
import { learnSensitive } from '../../../core/data-plane/http2/sensitive-fields.ts';
import { type Field, literals } from '../../support/http2-frames.ts';

class Collector implements FieldSink {
  readonly fields: string[] = [];
  readonly sensitive: string[] = [];
  huge = 0;

  takeField(bytes: Buffer, start: number, name: number, value: number, _kind: number, _broken: boolean, kept: boolean) {
    const line = bytes.toString('latin1', start, start + name + value + 4);
    this.fields.push(line.slice(0, -2));
    expect(line.endsWith('\r\n')).toBe(true);
    if (kept) this.sensitive.push(line.slice(0, name));
  }

  takeHuge() {
    this.huge += 1;
  }
}

function decodeHex(decoder: HpackDecoder, hex: string): string[] | string {
  const bytes = Buffer.from(hex.replace(/\s/g, ''), 'hex');
  const collector = new Collector();
  const failure = decoder.decode(bytes, 0, bytes.length, collector);
  return failure === '' ? collector.fields : failure;
}

function encode(encoder: HpackEncoder, fields: readonly Field[]): Buffer {
  const octets = fields.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  const out = Buffer.alloc(blockBound(octets, fields.length));
  encoder.begin(out, 0);
  for (const [name, value] of fields) {
    const names = Buffer.from(name, 'latin1');
    const values = Buffer.from(value, 'latin1');
    encoder.field(names, 0, names.length, values, 0, values.length);
  }
  expect(encoder.end()).toBeLessThanOrEqual(out.length);
  return out.subarray(0, encoder.end());
}

function decode(decoder: HpackDecoder, block: Buffer): Collector {
  const collector = new Collector();
  expect(decoder.decode(block, 0, block.length, collector)).toBe('');
  return collector;
}

const first = [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com'];
const second = [...first, 'cache-control: no-cache'];
const third = [
  ':method: GET',
  ':scheme: https',
  ':path: /index.html',
  ':authority: www.example.com',
  'custom-key: custom-value',
];
const found = [
  ':status: 302',
  'cache-control: private',
  'date: Mon, 21 Oct 2013 20:13:21 GMT',
  'location: https://www.example.com',
];
const moved = [':status: 307', ...found.slice(1)];
const ok = [
  ':status: 200',
  'cache-control: private',
  'date: Mon, 21 Oct 2013 20:13:22 GMT',
  'location: https://www.example.com',
  'content-encoding: gzip',
  'set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
];
/** The responses of appendix C are for a table of 256 octets: an update comes first. */
const tableOf256 = '3fe101';

describe('HPACK decoding, RFC 7541 appendix C', () => {
  it.each([
    [
      'C.2.1 literal with indexing',
      '400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572',
      ['custom-key: custom-header'],
    ],
    ['C.2.2 literal without indexing', '040c 2f73 616d 706c 652f 7061 7468', [':path: /sample/path']],
    ['C.2.3 literal never indexed', '1008 7061 7373 776f 7264 0673 6563 7265 74', ['password: secret']],
    ['C.2.4 indexed', '82', [':method: GET']],
  ])('reads %s', (_name, hex, fields) => {
    expect(decodeHex(new HpackDecoder(), hex)).toEqual(fields);
  });

  it.each([
    [
      'C.3',
      [
        ['8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d', first],
        ['8286 84be 5808 6e6f 2d63 6163 6865', second],
        ['8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65', third],
      ],
    ],
    [
      'C.4',
      [
        ['8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff', first],
        ['8286 84be 5886 a8eb 1064 9cbf', second],
        ['8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf', third],
      ],
    ],
    [
      'C.5',
      [
        [
          `${tableOf256} 4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`,
          found,
        ],
        ['4803 3330 37c1 c0bf', moved],
        [
          '88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31',
          ok,
        ],
      ],
    ],
    [
      'C.6',
      [
        [
          `${tableOf256} 4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3`,
          found,
        ],
        ['4883 640e ffc1 c0bf', moved],
        [
          '88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07',
          ok,
        ],
      ],
    ],
  ] as const)('reads the messages of %s one after the other', (_name, messages) => {
    const decoder = new HpackDecoder();
    for (const [hex, fields] of messages) expect(decodeHex(decoder, hex)).toEqual(fields);
  });

  it.each([
    ['index 0', '80', 'an index that is in no table'],
    ['an index behind the tables', 'be', 'an index that is in no table'],
    ['a name behind the tables', '7f00 01 61', 'an index that is in no table'],
    ['a number that does not end', 'ff', 'a block that ends within a number'],
    ['a number that is too large', 'ffffffffffffff7f', 'a number that is too large'],
    ['a string that is cut off', '4005 6161', 'a block that ends within a string'],
    ['a value that is missing', '4001 61', 'a block that ends within a field'],
    ['a table that is too large', '3fe21f', 'a table larger than was allowed'],
    ['a table size after a field', '8220', 'a table size update after a field'],
    ['padding of more than seven bits', '0086 f2b24a84ffff 01 61', 'a string that is not Huffman-coded as it must be'],
    ['padding with zeros', '0081 00 01 61', 'a string that is not Huffman-coded as it must be'],
    ['EOS in a string', '0084 ffffffff 01 61', 'a string that is not Huffman-coded as it must be'],
  ])('refuses %s', (_name, hex, rule) => {
    expect(decodeHex(new HpackDecoder(), hex)).toBe(rule);
  });

  it('says which fields are never to be indexed', () => {
    expect(decode(new HpackDecoder(), Buffer.from('100161027361', 'hex')).sensitive).toEqual(['a']);
  });

  it('reports a field that is too long instead of keeping it, and stays in step', () => {
    const decoder = new HpackDecoder();
    const collector = decode(
      decoder,
      literals([
        ['a', 'x'.repeat(70_000)],
        ['b', 'c'],
      ]),
    );
    expect([collector.huge, collector.fields]).toEqual([1, ['b: c']]);
  });
});

describe('Huffman code', () => {
  it('writes no further than allowed', () => {
    const coded = Buffer.from('f1e3c2e5f23a6ba0ab90f4ff', 'hex');
    const output = Buffer.alloc(32);
    expect(decodeHuffman(coded, 0, coded.length, output, 0, 32)).toBe('www.example.com'.length);
    expect(decodeHuffman(coded, 0, coded.length, output, 0, 4)).toBe(-2);
  });
});

describe('HPACK encoding', () => {
  const request: readonly Field[] = [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', '/shop.Cart/Add'],
    [':authority', 'cart'],
    ['content-type', 'application/grpc'],
    ['TE', 'trailers'],
  ];
  const lines = request.map(([name, value]) => `${name.toLowerCase()}: ${value}`);

  it('sends a request that repeats as indexes only', () => {
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder();
    const sizes = [1, 2, 3, 4].map(() => {
      const block = encode(encoder, request);
      expect(decode(decoder, block).fields).toEqual(lines);
      return block.length;
    });
    expect(sizes[2]).toBe(request.length);
    expect(sizes[3]).toBe(request.length);
  });

  it('never indexes credentials, short cookies and what a peer marked', () => {
    learnSensitive('x-token');
    const encoder = new HpackEncoder();
    const secret: readonly Field[] = [
      ['authorization', 'Bearer abc'],
      ['cookie', 'a=1'],
      ['X-Token', 'abc'],
    ];
    for (let round = 0; round < 3; round += 1) {
      expect(decode(new HpackDecoder(), encode(encoder, secret)).sensitive).toEqual([
        'authorization',
        'cookie',
        'x-token',
      ]);
    }
  });

  it('announces each change of the table size, the smallest first', () => {
    const encoder = new HpackEncoder();
    encoder.setLimit(0);
    encoder.setLimit(1_000);
    expect(encode(encoder, [[':method', 'GET']]).toString('hex')).toBe('203fc90782');
    expect(encode(encoder, [[':method', 'GET']]).toString('hex')).toBe('82');
  });

  it('round-trips any fields over any number of blocks and table sizes', () => {
    const name = fc.constantFrom('a', 'b', 'content-type', 'x-long-name-of-a-header', ':path', 'via', 'etag');
    const value = fc.oneof(
      fc.constantFrom('1', '2', 'text/html', 'v'.repeat(900)),
      fc.string({ unit: 'binary-ascii', maxLength: 200 }),
    );
    const block = fc.record({
      limit: fc.option(fc.constantFrom(0, 64, 300, 4_096, 65_536), { nil: null, freq: 4 }),
      fields: fc.array(fc.tuple(name, value), { maxLength: 12 }),
    });
    fc.assert(
      fc.property(fc.array(block, { minLength: 1, maxLength: 30 }), (blocks) => {
        const encoder = new HpackEncoder();
        const decoder = new HpackDecoder();
        for (const { limit, fields } of blocks) {
          if (limit !== null) encoder.setLimit(limit);
          const decoded = decode(decoder, encode(encoder, fields));
          expect(decoded.fields).toEqual(fields.map(([n, v]) => `${n}: ${v}`));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('decodes any octets without a crash', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 10 }), (blocks) => {
        const decoder = new HpackDecoder();
        for (const bytes of blocks) {
          const block = Buffer.from(bytes);
          expect(typeof decoder.decode(block, 0, block.length, new Collector())).toBe('string');
        }
      }),
      { numRuns: 500 },
    );
  });
});

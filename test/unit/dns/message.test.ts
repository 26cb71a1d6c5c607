import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  answerLimit,
  codeOf,
  createAnswer,
  isReplyTo,
  parseQuery,
  recordType,
} from '../../../core/data-plane/dns/message.ts';
import { toAddressBytes } from '../../../core/data-plane/dns/name-table.ts';
import { readAnswer, toQuery } from '../../support/dns-messages.ts';

const v4 = toAddressBytes('240.240.0.1');
const v6 = toAddressBytes('fd00::1');

describe('reading questions', () => {
  it.each([
    ['a plain question', toQuery('api.example.internal'), 'api.example.internal', recordType.a, null],
    ['letters in both cases', toQuery('API.Example.Internal'), 'api.example.internal', recordType.a, null],
    ['IPv6 addresses', toQuery('a.b', { type: recordType.aaaa }), 'a.b', recordType.aaaa, null],
    ['the size of datagrams that the client takes', toQuery('a.b', { udpBytes: 1232 }), 'a.b', recordType.a, 1232],
    ['the root', toQuery(''), '', recordType.a, null],
    ['underscores and digits', toQuery('_dns.0x1'), '_dns.0x1', recordType.a, null],
  ])('reads %s', (_what, message, name, type, udpBytes) => {
    expect(parseQuery(message)).toMatchObject({ name, type, udpBytes });
  });

  const query = toQuery('a.example');
  const changed = (change: (message: Buffer) => void) => {
    const message = Buffer.from(query);
    change(message);
    return message;
  };
  it.each([
    ['nothing at all', Buffer.alloc(0)],
    ['half a head', query.subarray(0, 11)],
    ['a head alone', query.subarray(0, 12)],
    ['a name that does not end', query.subarray(0, 16)],
    ['no type', query.subarray(0, query.length - 3)],
    ['an answer', changed((message) => message.writeUInt16BE(0x8100, 2))],
    ['an update', changed((message) => message.writeUInt16BE(0x2800, 2))],
    ['two questions', changed((message) => message.writeUInt16BE(2, 4))],
    ['a label longer than 63', changed((message) => message.writeUInt8(64, 12))],
    ['a compressed name', changed((message) => message.writeUInt16BE(0xc00c, 12))],
    ['another class', changed((message) => message.writeUInt16BE(3, query.length - 2))],
    ['records that are said to follow', changed((message) => message.writeUInt16BE(1, 10))],
    ['a dot inside a label', changed((message) => message.write('.', 13, 'latin1'))],
  ])('leaves to others: %s', (_what, message) => {
    expect(parseQuery(message)).toBeNull();
  });

  it('reads every name that can be written', () => {
    const label = fc.stringMatching(/^[a-z0-9_-]{1,63}$/);
    fc.assert(
      fc.property(fc.array(label, { minLength: 1, maxLength: 3 }), (labels) => {
        expect(parseQuery(toQuery(labels.join('.')))?.name).toBe(labels.join('.'));
      }),
    );
  });

  it('never throws, whatever the bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(40), (noise, at) => {
        const message = Buffer.from(query);
        for (const [index, byte] of noise.entries()) {
          if (at + index < message.length) message[at + index] = byte;
        }
        for (const bytes of [Buffer.from(noise), message]) {
          parseQuery(bytes);
          codeOf(bytes);
          isReplyTo(bytes, query);
          isReplyTo(query, bytes);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('answers', () => {
  const answer = (message: Buffer, addresses: readonly Buffer[], limitBytes = 512, code = 0) => {
    const query = parseQuery(message);
    if (query === null) throw new Error('no question');
    return createAnswer(message, query, { addresses, ttlSeconds: 5, code }, limitBytes);
  };

  it('say the addresses of the family that was asked for, with the question and the id as they came', () => {
    const message = toQuery('Api.Example', { id: 0xbeef });
    const answered = answer(message, [v4, v6]);
    expect(readAnswer(answered)).toEqual({
      ...{ id: 0xbeef, code: 0, truncated: false, authoritative: true, name: 'Api.Example', hasOpt: false },
      records: [{ type: recordType.a, ttlSeconds: 5, address: '240.240.0.1' }],
    });
    expect(isReplyTo(answered, message)).toBe(true);
  });

  it('have no records when there is no address of that family', () => {
    const read = readAnswer(answer(toQuery('a', { type: recordType.aaaa }), [v4]));
    expect(read).toMatchObject({ code: 0, records: [] });
  });

  it('say all of them when anything is asked for', () => {
    const read = readAnswer(answer(toQuery('a', { type: recordType.any }), [v4, v6]));
    expect(read.records.map(({ type }) => type)).toEqual([recordType.a, recordType.aaaa]);
  });

  it('carry a response code', () => {
    expect(readAnswer(answer(toQuery('a'), [], 512, 3)).code).toBe(3);
  });

  it('leave out what does not fit, and say so', () => {
    const many = Array.from({ length: 100 }, (_, index) => toAddressBytes(`10.0.0.${index}`));
    const message = toQuery('many.example');
    const cut = answer(message, many);
    expect(cut.length).toBeLessThanOrEqual(512);
    expect(readAnswer(cut)).toMatchObject({ truncated: true });
    expect(readAnswer(answer(message, many, 65_535)).records).toHaveLength(100);
  });

  it('mention the extension when the client did, within its size', () => {
    const message = toQuery('many.example', { udpBytes: 1_232 });
    const query = parseQuery(message);
    if (query === null) throw new Error('no question');
    expect([answerLimit(query, 'udp'), answerLimit(query, 'tcp')]).toEqual([1_232, 65_535]);
    const many = Array.from({ length: 100 }, (_, index) => toAddressBytes(`10.0.0.${index}`));
    const cut = answer(message, many, answerLimit(query, 'udp'));
    expect(cut.length).toBeLessThanOrEqual(1_232);
    expect(readAnswer(cut)).toMatchObject({ truncated: true, hasOpt: true });
  });

  it('can be read back whatever was asked', () => {
    const address = fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(fc.array(address, { maxLength: 60 }), fc.constantFrom(null, 512, 4_096), (addresses, udpBytes) => {
        const message = toQuery('a.example', { udpBytes });
        const query = parseQuery(message);
        if (query === null) throw new Error('no question');
        const limit = answerLimit(query, 'udp');
        const answered = answer(message, addresses, limit);
        const read = readAnswer(answered);
        expect(answered.length).toBeLessThanOrEqual(limit);
        expect(read.truncated).toBe(read.records.length < addresses.length);
        expect(read.records.map((record) => record.address)).toEqual(
          addresses.slice(0, read.records.length).map((bytes) => [...bytes].join('.')),
        );
      }),
    );
  });
});

describe('matching replies', () => {
  it('compares questions without regard to letter case, and takes replies that repeat none', () => {
    const asked = toQuery('Mixed.Example');
    const query = parseQuery(asked);
    if (query === null) throw new Error('no question');
    const lower = createAnswer(toQuery('mixed.example'), query, { addresses: [], ttlSeconds: 5, code: 3 }, 512);
    expect(isReplyTo(lower, asked)).toBe(true);
    const other = createAnswer(toQuery('other.example'), query, { addresses: [], ttlSeconds: 5, code: 3 }, 512);
    expect(isReplyTo(other, asked)).toBe(false);
    const bare = Buffer.from(lower.subarray(0, 12));
    bare.writeUInt16BE(0, 4);
    expect(isReplyTo(bare, asked)).toBe(true);
    expect(isReplyTo(asked, asked)).toBe(false);
  });
});

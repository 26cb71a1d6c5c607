/** What every wire does, whatever is below it: the raw handle or the public socket, TCP or TLS. */
import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { openWire } from '../../../core/data-plane/wire/open-wire.ts';
import { RawWire } from '../../../core/data-plane/wire/raw-wire.ts';
import { maxReserveBytes } from '../../../core/data-plane/wire/wire.ts';
import { eventually } from '../../support/eventually.ts';
import { PairMaker, RecordingOwner } from './connected-pair.ts';
import { everyWire, send, usePairs } from './wires.ts';

describe.each(everyWire)('a %s wire over %s', (kind, transport) => {
  const { open, connect } = usePairs(kind, transport);

  test('is of the kind that was asked for', async () => {
    const { wire, peer } = await open();
    expect(wire instanceof RawWire).toBe(kind === 'raw');
    expect(wire.isTls).toBe(transport === 'tls');
    expect(wire.writable).toBe(true);
    expect(wire.closed).toBe(false);
    peer.socket.destroy();
  });

  describe('sending and receiving', () => {
    test('keeps the order of everything sent in and out of dispatches', async () => {
      const { wire, owner, peer } = await open();
      peer.read();
      let expected = '';
      let round = 0;
      const say = (text: string) => {
        expected += text;
        send(wire, text);
      };
      owner.onBytesDo = () => {
        for (let part = 0; part < 5; part += 1) say(`d${round}.${part};`);
        round += 1;
      };
      for (let turn = 0; turn < 50; turn += 1) {
        peer.socket.write('x');
        say(`o${turn};`);
        await new Promise((resolve) => setImmediate(resolve));
      }
      await eventually('every dispatch', () => owner.receivedBytes === 50);
      await eventually('all of it', () => peer.receivedBytes === expected.length);
      expect(peer.text).toBe(expected);
    });

    test('composes in place, in several steps', async () => {
      const { wire, owner, peer } = await open();
      peer.read();
      owner.onBytesDo = () => {
        for (const word of ['one ', 'two ', 'three']) {
          const at = wire.reserve(64);
          wire.commit(at + wire.output.write(word, at, 'latin1'));
        }
      };
      peer.socket.write('go');
      await eventually('the words', () => peer.text === 'one two three');
    });

    test('lets wires take turns within one dispatch', async () => {
      const first = await open();
      const second = await open();
      first.peer.read();
      second.peer.read();
      let expected = '';
      first.owner.onBytesDo = () => {
        for (let turn = 0; turn < 40; turn += 1) {
          const text = `${turn},`.repeat(1 + (turn % 7) * 500);
          expected += text;
          send(first.wire, text);
          send(second.wire, text);
        }
      };
      first.peer.socket.write('go');
      await eventually('both', () => first.peer.receivedBytes + second.peer.receivedBytes === 2 * expected.length);
      expect(first.peer.text).toBe(expected);
      expect(second.peer.text).toBe(expected);
    });

    test('has no use for the bytes after send', async () => {
      const { wire, peer } = await open();
      peer.read();
      const bytes = Buffer.alloc(10_000, 'a');
      wire.send(bytes, 0, bytes.length);
      bytes.fill('b');
      wire.send(bytes, 100, 200);
      bytes.fill('c');
      await eventually('both', () => peer.receivedBytes === 10_100);
      expect(peer.text).toBe('a'.repeat(10_000) + 'b'.repeat(100));
    });

    test('sends more than can be reserved, and refuses to reserve it', async () => {
      const { wire, peer } = await open();
      peer.read();
      const bytes = randomBytes(3 * maxReserveBytes + 17);
      send(wire, 'before');
      wire.send(bytes, 0, bytes.length);
      send(wire, 'after');
      const expected = Buffer.concat([Buffer.from('before'), bytes, Buffer.from('after')]);
      await eventually('all', () => peer.receivedBytes === expected.length);
      expect(Buffer.concat(peer.received).equals(expected)).toBe(true);
      expect(() => wire.reserve(maxReserveBytes + 1)).toThrow(RangeError);
    });

    test('delivers what the socket had read before it was taken over, then the rest', async () => {
      const { socket, peer } = await connect();
      peer.socket.write('early ');
      socket.resume();
      socket.pause();
      await eventually('the early bytes', () => {
        socket.read(0);
        return socket.readableLength === 6;
      });
      const owner = new RecordingOwner();
      openWire(socket, owner, kind);
      expect(owner.receivedBytes).toBe(0);
      peer.socket.write('late');
      await eventually('both', () => owner.text === 'early late');
    });

    test('delivers an end that the socket had seen before it was taken over', async () => {
      const { socket, peer } = await connect();
      peer.read();
      peer.socket.end('last words');
      await eventually('the early bytes', () => {
        socket.read(0);
        return socket.readableLength === 10;
      });
      await new Promise((resolve) => setImmediate(resolve));
      const owner = new RecordingOwner();
      const wire = openWire(socket, owner, kind);
      await eventually('the end', () => owner.ended === 1);
      expect(owner.text).toBe('last words');
      send(wire, 'answer');
      wire.end();
      await eventually('the answer', () => peer.ended);
      expect(peer.text).toBe('answer');
      await eventually('the close', () => owner.closed === 1);
      expect(owner.error).toBeNull();
    });
  });

  test('tells a new owner what comes next', async () => {
    const { wire, owner, peer } = await open();
    const next = new RecordingOwner();
    owner.onBytesDo = () => {
      wire.owner = next;
    };
    peer.socket.write('one');
    await eventually('the first', () => owner.text === 'one');
    peer.socket.write('two');
    await eventually('the second', () => next.text === 'two');
    peer.socket.end();
    await eventually('the end', () => next.ended === 1);
    wire.end();
    await eventually('the close', () => next.closed === 1);
    expect(owner).toMatchObject({ ended: 0, closed: 0 });
  });

  test('of 1,000 connections each gets its own answers', async () => {
    const all: Awaited<ReturnType<typeof open>>[] = [];
    for (let index = 0; index < 1_000; index += 1) {
      const one = await open();
      one.owner.onBytesDo = (bytes, start, end) => one.wire.send(bytes, start, end);
      one.peer.read();
      all.push(one);
    }
    for (const round of ['first ', 'second ']) {
      for (const [index, { peer }] of all.entries()) peer.socket.write(`${round}${index} `);
      await eventually(`the ${round}`, () => all.every(({ peer }, index) => peer.text.endsWith(`${round}${index} `)));
    }
    expect(all.map(({ peer }) => peer.text)).toEqual(all.map((_, index) => `first ${index} second ${index} `));
    for (const { wire } of all) wire.end();
    for (const { peer } of all) peer.socket.end();
    await eventually('all closed', () => all.every(({ owner }) => owner.closed === 1));
    expect(all.filter(({ owner }) => owner.error !== null)).toEqual([]);
  });
});

describe('a connection that is gone before it is taken over', () => {
  test.each(['raw', 'socket'] as const)('is told as closed (%s)', async (kind) => {
    const pairs = await PairMaker.listen('tcp');
    const { socket } = await pairs.connect();
    socket.destroy();
    await eventually('closed', () => socket.closed);
    const owner = new RecordingOwner();
    const wire = openWire(socket, owner, kind);
    expect(owner.closed).toBe(0);
    await eventually('told', () => owner.closed === 1);
    expect(wire).toMatchObject({ closed: true, writable: false });
    await pairs.close();
  });
});

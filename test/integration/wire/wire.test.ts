/** What every wire does, whatever is below it: the raw handle or the public socket, TCP or TLS. */
import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openWire, type WireKind } from '../../../core/data-plane/wire/open-wire.ts';
import { RawWire } from '../../../core/data-plane/wire/raw-wire.ts';
import { highWaterBytes, maxReserveBytes, type Wire } from '../../../core/data-plane/wire/wire.ts';
import { eventually } from '../../support/eventually.ts';
import { PairMaker, type Peer, RecordingOwner, type Transport } from './connected-pair.ts';

const table: [WireKind, Transport][] = [
  ['raw', 'tcp'],
  ['raw', 'tls'],
  ['socket', 'tcp'],
  ['socket', 'tls'],
];

function send(wire: Wire, text: string): boolean {
  const bytes = Buffer.from(text, 'latin1');
  return wire.send(bytes, 0, bytes.length);
}

/** The first words also take along what TLS sends after its handshake. */
async function greet(wire: Wire, peer: Peer): Promise<void> {
  peer.read();
  send(wire, 'hello');
  await eventually('the greeting', () => peer.text === 'hello');
}

describe.each(table)('a %s wire over %s', (kind, transport) => {
  let pairs: PairMaker;
  beforeAll(async () => {
    pairs = await PairMaker.listen(transport);
  });
  afterAll(() => pairs.close());
  const open = () => pairs.open(kind);

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
      const { socket, peer } = await pairs.connect();
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
      const { socket, peer } = await pairs.connect();
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

  describe('ends', () => {
    test('hears the FIN of the peer and goes on sending', async () => {
      const { wire, owner, peer } = await open();
      peer.read();
      peer.socket.end('bye');
      await eventually('the end', () => owner.ended === 1);
      expect(owner.text).toBe('bye');
      expect(owner.closed).toBe(0);
      send(wire, 'still here');
      wire.end();
      expect(wire.writable).toBe(false);
      await eventually('the end', () => peer.ended);
      expect(peer.text).toBe('still here');
      await eventually('the close', () => owner.closed === 1);
      expect(owner.error).toBeNull();
      expect(wire.closed).toBe(true);
    });

    test('ends its side after what is queued and goes on reading', async () => {
      const { wire, owner, peer } = await open();
      const bytes = randomBytes(8 * 1024 * 1024);
      wire.send(bytes, 0, bytes.length);
      wire.end();
      send(wire, 'too late');
      peer.read();
      await eventually('the end', () => peer.ended);
      expect(Buffer.concat(peer.received).equals(bytes)).toBe(true);
      peer.socket.end('thanks');
      await eventually('the close', () => owner.closed === 1);
      expect(owner.text).toBe('thanks');
      expect(owner.ended).toBe(1);
      expect(owner.error).toBeNull();
    });

    test('ends in the dispatch that answers', async () => {
      const { wire, owner, peer } = await open();
      peer.read();
      owner.onBytesDo = () => {
        send(wire, 'answer');
        wire.end();
      };
      peer.socket.write('question');
      await eventually('the end', () => peer.ended);
      expect(peer.text).toBe('answer');
      peer.socket.end();
      await eventually('the close', () => owner.closed === 1);
    });

    test('tells a reset by the peer as a close with an error', async () => {
      const { wire, owner, peer } = await open();
      // Node does not notice a reset that comes right behind the TLS handshake.
      peer.socket.write('x');
      await eventually('the byte', () => owner.receivedBytes === 1);
      peer.transport.resetAndDestroy();
      await eventually('the close', () => owner.closed === 1);
      expect(owner.error).toMatchObject({ code: 'ECONNRESET' });
      expect(wire.writable).toBe(false);
      expect(send(wire, 'into the void')).toBe(true);
    });

    test('tells a reset by the peer while it is paused and has bytes to send', async () => {
      const { wire, owner, peer } = await open();
      wire.pause();
      const bytes = Buffer.alloc(highWaterBytes);
      while (wire.send(bytes, 0, bytes.length));
      peer.transport.resetAndDestroy();
      await eventually('the close', () => owner.closed === 1);
      expect(owner.error).not.toBeNull();
      expect(wire.queuedBytes).toBe(0);
    });

    test('resets the peer', async () => {
      const { wire, owner, peer } = await open();
      await greet(wire, peer);
      wire.reset();
      expect(owner.closed).toBe(0);
      expect(wire.writable).toBe(false);
      await eventually('the reset', () => peer.closed);
      expect(peer.error).toMatchObject({ code: 'ECONNRESET' });
      expect(peer.ended).toBe(false);
      await eventually('the close', () => owner.closed === 1);
    });

    test('loses what is queued with a reset', async () => {
      const { wire, owner, peer } = await open();
      const bytes = Buffer.alloc(64 * 1024);
      let sent = 0;
      do sent += bytes.length;
      while (wire.send(bytes, 0, bytes.length));
      wire.reset();
      peer.read();
      await eventually('the close', () => owner.closed === 1);
      // Node tells a reset that comes together with bytes as an end.
      await eventually('the end', () => peer.ended || peer.closed);
      expect(wire.queuedBytes).toBe(0);
      expect(peer.receivedBytes).toBeLessThan(sent);
    });

    test('is closed once, not inside destroy, whatever is called after', async () => {
      const { wire, owner, peer } = await open();
      peer.read();
      owner.onBytesDo = () => {
        wire.destroy();
        expect(owner.closed).toBe(0);
        send(wire, 'nothing');
        wire.end();
        wire.destroy();
        wire.reset();
        wire.pause();
        wire.resume();
      };
      peer.socket.write('go');
      await eventually('the close', () => owner.closed === 1 && (peer.closed || peer.ended));
      await new Promise((resolve) => setImmediate(resolve));
      expect(owner).toMatchObject({ closed: 1, error: null, ended: 0 });
      expect(peer.text).toBe('');
    });

    test('can be destroyed in every callback', async () => {
      const inEnd = await open();
      inEnd.owner.onEndDo = () => inEnd.wire.destroy();
      inEnd.peer.socket.end();
      await eventually('the close', () => inEnd.owner.closed === 1);
      const inDrain = await open();
      const bytes = Buffer.alloc(highWaterBytes);
      inDrain.owner.onDrainDo = () => inDrain.wire.destroy();
      while (inDrain.wire.send(bytes, 0, bytes.length));
      inDrain.peer.read();
      await eventually('the close', () => inDrain.owner.closed === 1);
      expect(inDrain.owner).toMatchObject({ drained: 1, error: null });
    });

    test('stays open when only the socket would have closed it: half-open both ways', async () => {
      const { wire, owner, peer } = await open();
      peer.read();
      peer.socket.end();
      await eventually('the end', () => owner.ended === 1);
      for (let turn = 0; turn < 5; turn += 1) {
        await new Promise((resolve) => setImmediate(resolve));
        send(wire, `${turn}`);
      }
      await eventually('the rest', () => peer.text === '01234');
      expect(wire.closed).toBe(false);
      wire.destroy();
      await eventually('the close', () => owner.closed === 1);
    });
  });

  describe('back-pressure', () => {
    test('says when to stop and when to go on; a slow reader gets 64 MiB whole', async () => {
      const { wire, owner, peer } = await open();
      const total = 64 * 1024 * 1024;
      const block = randomBytes(64 * 1024);
      const sent = createHash('sha256');
      const got = createHash('sha256');
      let bytesSent = 0;
      let mostQueued = 0;
      const pump = () => {
        while (bytesSent < total) {
          sent.update(block);
          bytesSent += block.length;
          const goOn = wire.send(block, 0, block.length);
          mostQueued = Math.max(mostQueued, wire.queuedBytes);
          if (!goOn) return;
        }
        wire.end();
      };
      owner.onDrainDo = pump;
      let bytesGot = 0;
      peer.socket.on('data', (bytes: Buffer) => {
        got.update(bytes);
        bytesGot += bytes.length;
        // Slow: a pause after every read.
        peer.socket.pause();
        setImmediate(() => peer.socket.resume());
      });
      pump();
      await eventually('the end', () => peer.ended, 25_000);
      expect(bytesGot).toBe(total);
      expect(got.digest('hex')).toBe(sent.digest('hex'));
      expect(owner.drained).toBeGreaterThan(10);
      expect(mostQueued).toBeLessThanOrEqual(highWaterBytes + 2 * block.length);
    });

    test('forwards 64 MiB from one wire to another, with reads stopped while the other cannot take more', async () => {
      const from = await open();
      const to = await open();
      from.owner.keep = false;
      from.owner.onBytesDo = (bytes, start, end) => {
        if (!to.wire.send(bytes, start, end)) from.wire.pause();
      };
      to.owner.onDrainDo = () => from.wire.resume();
      from.owner.onEndDo = () => to.wire.end();
      const sent = createHash('sha256');
      const got = createHash('sha256');
      let bytesGot = 0;
      to.peer.socket.on('data', (bytes: Buffer) => {
        got.update(bytes);
        bytesGot += bytes.length;
        if (bytesGot % 7 === 0) {
          to.peer.socket.pause();
          setTimeout(() => to.peer.socket.resume(), 1);
        }
      });
      const block = randomBytes(1024 * 1024 - 13);
      for (let round = 0; round < 64; round += 1) {
        sent.update(block);
        if (!from.peer.socket.write(block)) await new Promise((resolve) => from.peer.socket.once('drain', resolve));
      }
      from.peer.socket.end();
      await eventually('the end', () => to.peer.ended, 25_000);
      expect(bytesGot).toBe(64 * block.length);
      expect(got.digest('hex')).toBe(sent.digest('hex'));
    });

    test('delivers nothing while it is paused, and everything after', async () => {
      const { wire, owner, peer } = await open();
      const bytes = randomBytes(3 * 1024 * 1024);
      let pausedAt = -1;
      owner.onBytesDo = () => {
        expect(pausedAt).toBe(-1);
        pausedAt = owner.receivedBytes;
        wire.pause();
        setTimeout(() => {
          expect(owner.receivedBytes).toBe(pausedAt);
          pausedAt = -1;
          wire.resume();
        }, 1);
      };
      peer.socket.write(bytes);
      await eventually('all', () => owner.receivedBytes === bytes.length, 20_000);
      expect(Buffer.concat(owner.received).equals(bytes)).toBe(true);
    });

    test('delivers the end after the bytes when it was paused for both', async () => {
      const { wire, owner, peer } = await open();
      wire.pause();
      peer.socket.end('a'.repeat(1000));
      await eventually('the FIN is out', () => peer.socket.writableFinished);
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(owner).toMatchObject({ receivedBytes: 0, ended: 0 });
      wire.resume();
      await eventually('the end', () => owner.ended === 1);
      expect(owner.receivedBytes).toBe(1000);
    });

    test('counts what waits for the kernel', async () => {
      const { wire, peer } = await open();
      expect(wire.queuedBytes).toBe(0);
      const bytes = Buffer.alloc(64 * 1024);
      while (wire.send(bytes, 0, bytes.length));
      expect(wire.queuedBytes).toBeGreaterThan(highWaterBytes);
      peer.read();
      await eventually('nothing is left', () => wire.queuedBytes === 0);
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

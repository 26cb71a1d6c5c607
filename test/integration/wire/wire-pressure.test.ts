/** Who is slow is waited for, and nothing is lost meanwhile. */
import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { highWaterBytes } from '../../../core/data-plane/wire/wire.ts';
import { eventually } from '../../support/eventually.ts';
import { everyWire, usePairs } from './wires.ts';

describe.each(everyWire)('back-pressure of a %s wire over %s', (kind, transport) => {
  const { open } = usePairs(kind, transport);

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
    await eventually('the end', () => peer.ended);
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
    await eventually('the end', () => to.peer.ended);
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
    await eventually('all', () => owner.receivedBytes === bytes.length);
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

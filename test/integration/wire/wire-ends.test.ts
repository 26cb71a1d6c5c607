/** How connections end: politely, abruptly, in halves, by either side. */
import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { highWaterBytes } from '../../../core/data-plane/wire/wire.ts';
import { eventually } from '../../support/eventually.ts';
import { everyWire, greet, send, usePairs } from './wires.ts';

describe.each(everyWire)('the end of a %s wire over %s', (kind, transport) => {
  const { open } = usePairs(kind, transport);

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

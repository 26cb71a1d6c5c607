/** libuv reports a reset that follows a short read as the end of the stream; a raw wire must not believe it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openWire } from '../../../core/data-plane/wire/open-wire.ts';
import { eventually } from '../../support/eventually.ts';
import { PairMaker, RecordingOwner } from './connected-pair.ts';

let pairs: PairMaker;
beforeAll(async () => {
  pairs = await PairMaker.listen('tcp');
});
afterAll(() => pairs.close());

test.each([1, 1_000, 100_000, 300_000])('a reset behind %i bytes is told as a loss, not as the end', async (size) => {
  const { socket, peer } = await pairs.connect();
  peer.socket.write(Buffer.alloc(size), () => peer.socket.resetAndDestroy());
  await eventually('the reset', () => peer.closed);
  const owner = new RecordingOwner();
  openWire(socket, owner, 'raw');
  await eventually('the close', () => owner.closed === 1);
  expect(owner.ended).toBe(0);
  expect(owner.error).toMatchObject({ code: 'ECONNRESET' });
});

test('a regular end stays an end, and the other direction lives on', async () => {
  const { wire, owner, peer } = await pairs.open('raw');
  peer.read();
  peer.socket.end('the last words');
  await eventually('the end', () => owner.ended === 1);
  wire.send(Buffer.from('answer'), 0, 6);
  wire.end();
  await eventually('the answer', () => peer.text === 'answer' && peer.ended);
  await eventually('the close', () => owner.closed === 1);
  expect(owner.error).toBeNull();
});

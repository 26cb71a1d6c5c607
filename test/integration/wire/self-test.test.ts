import { afterEach, describe, expect, test } from 'vitest';
import { chooseWires, openWire, preferredWires } from '../../../core/data-plane/wire/open-wire.ts';
import { RawWire } from '../../../core/data-plane/wire/raw-wire.ts';
import { rawWiresWork } from '../../../core/data-plane/wire/self-test.ts';
import { SocketWire } from '../../../core/data-plane/wire/socket-wire.ts';
import { PairMaker, RecordingOwner } from './connected-pair.ts';

afterEach(() => chooseWires(async () => true));

test('raw wires work on this Node', async () => {
  expect(await rawWiresWork()).toBe(true);
});

describe('the choice of wires', () => {
  // Asked for one kind by MESHDESK_WIRE, there is none.
  const isFree = process.env['MESHDESK_WIRE'] === undefined;

  test.runIf(isFree)('follows the self-test', async () => {
    const pairs = await PairMaker.listen('tcp');
    const owner = new RecordingOwner();
    expect(await chooseWires(async () => false)).toBe('socket');
    expect(openWire((await pairs.connect()).socket, owner)).toBeInstanceOf(SocketWire);
    expect(await chooseWires(async () => true)).toBe('raw');
    expect(preferredWires()).toBe('raw');
    expect(openWire((await pairs.connect()).socket, owner)).toBeInstanceOf(RawWire);
    await pairs.close();
  });
});

import { afterAll, beforeAll } from 'vitest';
import type { WireKind } from '../../../core/data-plane/wire/open-wire.ts';
import type { Wire } from '../../../core/data-plane/wire/wire.ts';
import { eventually } from '../../support/eventually.ts';
import { PairMaker, type Peer, type Transport } from './connected-pair.ts';

/** Everything that wires are held to is held for each of these. */
export const everyWire: [WireKind, Transport][] = [
  ['raw', 'tcp'],
  ['raw', 'tls'],
  ['socket', 'tcp'],
  ['socket', 'tls'],
];

/** For a block of tests: opens wires of one kind, each with its peer, or sockets that no wire has yet. */
export function usePairs(kind: WireKind, transport: Transport) {
  let pairs: PairMaker;
  beforeAll(async () => {
    pairs = await PairMaker.listen(transport);
  });
  afterAll(() => pairs.close());
  return { open: () => pairs.open(kind), connect: () => pairs.connect() };
}

export function send(wire: Wire, text: string): boolean {
  const bytes = Buffer.from(text, 'latin1');
  return wire.send(bytes, 0, bytes.length);
}

/** The first words also take along what TLS sends after its handshake. */
export async function greet(wire: Wire, peer: Peer): Promise<void> {
  peer.read();
  send(wire, 'hello');
  await eventually('the greeting', () => peer.text === 'hello');
}

import type { Socket } from 'node:net';
import { canBeRaw, RawWire } from './raw-wire.ts';
import { rawWiresWork } from './self-test.ts';
import { SocketWire } from './socket-wire.ts';
import type { Wire, WireOwner } from './wire.ts';

/** `raw` where Node's handles are what we know, else `socket`; `MESHDESK_WIRE` asks for one of them. */
export type WireKind = 'raw' | 'socket';

const asked = process.env['MESHDESK_WIRE'];
let preferred: WireKind = asked === 'socket' ? 'socket' : 'raw';

/** What `openWire` makes where it can. */
export function preferredWires(): WireKind {
  return preferred;
}

/**
 * Tries raw wires once, before the first connection, and keeps to the public API when they do not do what they must.
 * `MESHDESK_WIRE` leaves nothing to try.
 */
export async function chooseWires(work: () => Promise<boolean> = rawWiresWork): Promise<WireKind> {
  if (asked === 'socket' || asked === 'raw') return preferred;
  preferred = (await work()) ? 'raw' : 'socket';
  return preferred;
}

/**
 * Takes an open connection over: from now on nobody else may use the socket. Reading begins with the next tick; bytes and
 * an end that the socket has seen already come first. The wire is the only one to close the socket.
 */
export function openWire(socket: Socket, owner: WireOwner, kind: WireKind = preferred): Wire {
  return kind === 'raw' && canBeRaw(socket) ? new RawWire(socket, owner) : new SocketWire(socket, owner);
}

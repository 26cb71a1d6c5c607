/**
 * TLS sessions to resume (RFC 8446, 2.2), so that a connection to a peer we know needs no signatures. What may go wrong:
 *
 *   identity   Node calls `checkServerIdentity` in full handshakes only, and a resumed client session shows no
 *              certificate. So a ticket is kept under the SPIFFE ID that was verified when it was issued, and offered
 *              only where that very ID is expected. A peer that does not know the secret behind it cannot use it: the
 *              handshake becomes a full one and the identity is checked.
 *   trust      a ticket belongs to a generation (certificate, trust bundle); all of an older one are forgotten.
 *   validity   a ticket dies with the certificate that was verified, whatever lifetime the peer gave it.
 */
export interface TicketKey {
  readonly host: string;
  readonly port: number;
  readonly spiffeId: string;
  /** Protocols offered: a session must not carry over into a connection that means something else. */
  readonly offers: readonly string[];
}

interface Ticket {
  readonly session: Buffer;
  readonly usableUntilMs: number;
}

const maxPeers = 512;
/** Sessions older than this are not resumed; the server forgets them likewise. */
export const sessionLifetimeMs = 3_600_000;

/**
 * One ticket per peer, used again and again: Node's servers issue none in a resumed handshake, and that an observer could
 * link two connections between the same two addresses (RFC 8446, C.4) tells nothing new.
 */
export class SessionTickets {
  /** Insertion order is age: the oldest is forgotten first. */
  readonly #tickets = new Map<string, Ticket>();
  #generation = -1;

  /** `validToMs`: end of the verified certificate's validity. Replaces the one before. */
  keep(key: TicketKey, session: Buffer, validToMs: number, generation: number, nowMs: number): void {
    // Issued before a rotation, arrived after it.
    if (!this.#enter(generation)) return;
    const name = toName(key);
    this.#tickets.delete(name);
    this.#tickets.set(name, { session, usableUntilMs: Math.min(validToMs, nowMs + sessionLifetimeMs) });
    for (const oldest of this.#tickets.keys()) {
      if (this.#tickets.size <= maxPeers) break;
      this.#tickets.delete(oldest);
    }
  }

  /** The session to offer to this peer; `null`: a full handshake. */
  find(key: TicketKey, generation: number, nowMs: number): Buffer | null {
    if (!this.#enter(generation)) return null;
    const ticket = this.#tickets.get(toName(key));
    if (ticket === undefined) return null;
    if (ticket.usableUntilMs > nowMs) return ticket.session;
    this.forget(key);
    return null;
  }

  /** A connection with the ticket failed: the next one begins without. */
  forget(key: TicketKey): void {
    this.#tickets.delete(toName(key));
  }

  /** False: `generation` is over. */
  #enter(generation: number): boolean {
    if (generation > this.#generation) {
      this.#generation = generation;
      this.#tickets.clear();
    }
    return generation === this.#generation;
  }
}

function toName({ host, port, spiffeId, offers }: TicketKey): string {
  return `${spiffeId} ${host} ${port} ${offers.join(' ')}`;
}

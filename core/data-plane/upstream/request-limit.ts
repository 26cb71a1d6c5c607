const unlimited = Number.POSITIVE_INFINITY;
/** So many connections in a row without a refusal, and twice as many requests are tried. */
const cleanBeforeMore = 16;
const enough = 1_000_000;

/**
 * How many requests a server takes over one connection, learned from those that it has refused: some servers say goodbye after a
 * few, and every request that was sent behind those has to be sent again. Per endpoint.
 */
export class RequestLimit {
  /** For the next connection. */
  most = unlimited;
  #clean = 0;

  /** The server has ended a connection after `served` requests and refused others. */
  refusedAfter(served: number): void {
    this.most = Math.min(this.most, Math.max(1, served));
    this.#clean = 0;
  }

  /** A connection has carried as many as it might. */
  carried(): void {
    if (this.most === unlimited) return;
    this.#clean += 1;
    if (this.#clean < cleanBeforeMore) return;
    this.#clean = 0;
    this.most = this.most * 2 > enough ? unlimited : this.most * 2;
  }
}

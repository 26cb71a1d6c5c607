import { isInForce } from '../../policy/decide-injection.ts';
import type { TelemetrySink } from '../connection.ts';
import { type Injection, type InjectionSet, onPort, type TcpAction } from '../faults/injection-set.ts';
import { createToxic } from './create-toxic.ts';
import type { PlannedToxic } from './toxic-pipe.ts';

/** A connection that can be under toxics. */
export interface Occupant {
  setToxics(upstream: readonly PlannedToxic[], downstream: readonly PlannedToxic[]): void;
  /** A refusal has come into force: ends it. */
  refuse(): void;
}

/** Service and port that a connection leads to. */
export interface ToxicEdge {
  readonly service: string;
  readonly port: number;
}

export interface ToxicDeskOptions {
  readonly injections: () => InjectionSet;
  /** The control plane's wall clock. */
  readonly nowMs: () => number;
  /** Whether the lease holds (control/fault-lease.ts). */
  readonly faultsAllowed: () => boolean;
  readonly telemetry: Pick<TelemetrySink, 'faultSeen'>;
}

/** Schedules, ends of faults and the lease are looked at so often, as long as there are faults of connections. */
const intervalMs = 100;

/** Every connection that a fault may come to, and which faults it is under now. */
export class ToxicDesk {
  readonly #options: ToxicDeskOptions;
  readonly #seats = new Set<ToxicSeat>();
  #timer: NodeJS.Timeout | null = null;

  constructor(options: ToxicDeskOptions) {
    this.#options = options;
  }

  /** A place for a new connection, which must `leave` it. Its draws are made now. */
  seat(edge: ToxicEdge): ToxicSeat {
    const seat = new ToxicSeat(this.#options, edge, () => this.#seats.delete(seat));
    this.#seats.add(seat);
    seat.refresh();
    return seat;
  }

  /** A configuration has come into force. */
  configured(): void {
    const isNeeded = [...this.#options.injections().byId.values()].some(({ action }) => action.kind.startsWith('tcp-'));
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = isNeeded ? setInterval(() => this.#refresh(), intervalMs) : null;
    this.#timer?.unref();
    this.#refresh();
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #refresh(): void {
    for (const seat of [...this.#seats]) seat.refresh();
  }
}

/** One connection's place. Each fault is drawn once for it, when it first meets it. */
export class ToxicSeat {
  /** New connections only: there must be none. */
  isRefused = false;
  readonly #options: ToxicDeskOptions;
  readonly #edge: ToxicEdge;
  readonly #onLeave: () => void;
  readonly #hits = new Map<Injection<TcpAction>, boolean>();
  #occupant: Occupant | null = null;

  constructor(options: ToxicDeskOptions, edge: ToxicEdge, onLeave: () => void) {
    this.#options = options;
    this.#edge = edge;
    this.#onLeave = onLeave;
  }

  occupy(occupant: Occupant): void {
    this.#occupant = occupant;
    this.refresh();
  }

  leave(): void {
    this.#occupant = null;
    this.#onLeave();
  }

  refresh(): void {
    const { injections, nowMs, faultsAllowed } = this.#options;
    const configured = onPort(injections().of(this.#edge.service).tcp, this.#edge.port);
    if (configured.length === 0 && this.#hits.size === 0) return;
    for (const known of [...this.#hits.keys()]) if (!configured.includes(known)) this.#hits.delete(known);
    const now = nowMs();
    const active = faultsAllowed()
      ? configured.filter((one) => isInForce(one.config, now) && this.#isHit(one, now))
      : [];
    this.isRefused = active.some(({ action }) => action.kind === 'tcp-refuse');
    const occupant = this.#occupant;
    if (occupant === null) return;
    if (this.isRefused) occupant.refuse();
    else occupant.setToxics(toPlan(active, 'upstream'), toPlan(active, 'downstream'));
  }

  #isHit(injection: Injection<TcpAction>, nowMs: number): boolean {
    const known = this.#hits.get(injection);
    if (known !== undefined) return known;
    const isHit = injection.decide(nowMs, 0);
    this.#hits.set(injection, isHit);
    this.#options.telemetry.faultSeen(injection.config.id, isHit);
    return isHit;
  }
}

function toPlan(active: readonly Injection<TcpAction>[], stream: 'upstream' | 'downstream'): PlannedToxic[] {
  return active.flatMap((injection) => {
    const { action, random } = injection;
    if (action.kind === 'tcp-refuse' || action.stream !== stream) return [];
    return [{ key: injection, create: () => createToxic(action), random }];
  });
}

/**
 * `api/`: the contract's far side. handlers.ts: one line per method; event-hub.ts: who hears what, how often; http/ws
 * transports carry both and decide nothing but who may talk to them.
 *
 * Events that carry a whole picture (status, workloads, topology, faults, splits) are made at most ten times a second
 * and only while somebody listens: a burst of changes costs one picture. The others are told one by one.
 */
import type { EventName, EventPayload } from '../../contract/contract.ts';
import type { Logger } from '../../shared/logger.ts';

export interface MeshEvent {
  readonly name: EventName;
  readonly payload: unknown;
}

type Pictures = {
  readonly [E in 'status' | 'workloads' | 'topology' | 'faults' | 'splits']: () => EventPayload<E>;
};
export type PictureName = keyof Pictures;

/** A picture that a slow listener may miss, because the next one says all of it again. */
export const isPicture = (name: string): name is PictureName =>
  name === 'status' || name === 'workloads' || name === 'topology' || name === 'faults' || name === 'splits';

export interface EventHubOptions {
  readonly pictures: Pictures;
  readonly log: Logger;
  /** Shortest time between two pictures of one kind; default 100 ms. */
  readonly pictureEveryMs?: number;
  /** How often topology and status are told without a change; default 1,000 ms. */
  readonly topologyEveryMs?: number;
}

export class EventHub {
  readonly #options: EventHubOptions;
  readonly #listeners = new Set<(event: MeshEvent) => void>();
  readonly #waiting = new Map<PictureName, NodeJS.Timeout>();
  readonly #toldAt = new Map<PictureName, number>();
  #ticker: NodeJS.Timeout | null = null;

  constructor(options: EventHubOptions) {
    this.#options = options;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  /** Begins with a picture of everything. Returns what takes the listener away. */
  listen(listener: (event: MeshEvent) => void): () => void {
    this.#listeners.add(listener);
    for (const name of Object.keys(this.#options.pictures) as PictureName[]) this.changed(name);
    this.#ticker ??= setInterval(() => {
      this.changed('topology');
      this.changed('status');
    }, this.#options.topologyEveryMs ?? 1_000);
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#stopTicker();
    };
  }

  /** The picture of this kind is no longer true: it is made anew soon. */
  changed(name: PictureName): void {
    if (this.#listeners.size === 0 || this.#waiting.has(name)) return;
    const everyMs = this.#options.pictureEveryMs ?? 100;
    const sinceMs = performance.now() - (this.#toldAt.get(name) ?? Number.NEGATIVE_INFINITY);
    const timer = setTimeout(() => this.#tellPicture(name), Math.max(0, everyMs - sinceMs));
    this.#waiting.set(name, timer);
  }

  /** Tells one event to everybody now. */
  tell<E extends Exclude<EventName, PictureName>>(name: E, payload: EventPayload<E>): void {
    this.#send({ name, payload });
  }

  close(): void {
    this.#stopTicker();
    for (const timer of this.#waiting.values()) clearTimeout(timer);
    this.#waiting.clear();
    this.#listeners.clear();
  }

  #stopTicker(): void {
    if (this.#ticker !== null) clearInterval(this.#ticker);
    this.#ticker = null;
  }

  #tellPicture(name: PictureName): void {
    this.#waiting.delete(name);
    this.#toldAt.set(name, performance.now());
    if (this.#listeners.size === 0) return;
    try {
      this.#send({ name, payload: this.#options.pictures[name]() });
    } catch (error) {
      this.#options.log.error(`the event ${name} could not be made`, error);
    }
  }

  #send(event: MeshEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        this.#options.log.error(`a listener of ${event.name} failed`, error);
      }
    }
  }
}

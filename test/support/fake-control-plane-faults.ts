import type { FaultView } from '../../core/contract/shapes.ts';
import { type FakeHost, found, type HandlersOf } from './fake-control-plane-host.ts';

/** Faults of the demo mesh, all on one edge unless a test says otherwise; they age by a second per tick. */
export class FakeFaults {
  readonly #host: FakeHost;
  #faults: FaultView[] = [];
  #made = 0;

  constructor(host: FakeHost, some: boolean) {
    this.#host = host;
    if (!some) return;
    this.#faults = [
      this.#fault('f1', { kind: 'delay', delayMs: 400 }, 30, true),
      this.#fault('f2', { kind: 'abort', httpStatus: 503 }, 10, false),
    ];
  }

  list(): FaultView[] {
    return this.#faults;
  }

  tick(): void {
    this.#faults = this.#faults.map((fault) => this.#aged(fault));
  }

  handlers(): HandlersOf<'fault'> {
    return {
      'fault.list': () => this.#faults,
      'fault.set': (input) => {
        this.#made += 1;
        const id = input.id ?? `new-${this.#made}`;
        const made: FaultView = {
          ...this.#fault(id, input.action, input.percent, input.enabled),
          from: input.from,
          to: input.to,
          route: input.route,
          durationMs: input.durationMs,
          expiresInMs: input.enabled ? input.durationMs : null,
          seen: 0,
          hits: 0,
        };
        this.#faults = [made, ...this.#faults.filter((fault) => fault.id !== id)];
        this.#host.changed();
        return made;
      },
      'fault.toggle': ({ id, enabled }) => {
        this.#faults = this.#faults.map((fault) =>
          fault.id === id
            ? {
                ...this.#fault(id, fault.action, fault.percent, enabled),
                from: fault.from,
                to: fault.to,
                durationMs: fault.durationMs,
                expiresInMs: enabled ? fault.durationMs : null,
              }
            : fault,
        );
        this.#host.changed();
        return found(
          this.#faults.find((fault) => fault.id === id),
          `fault ${id}`,
        );
      },
      'fault.clear': (input) => {
        this.#faults = 'id' in input ? this.#faults.filter(({ id }) => id !== input.id) : [];
        this.#host.changed();
        return this.#faults;
      },
    };
  }

  #fault(id: string, action: FaultView['action'], percent: number, enabled: boolean): FaultView {
    return {
      id,
      from: 'orders.shop',
      to: 'payments.shop',
      route: null,
      action,
      percent,
      durationMs: 60_000,
      enabled,
      expiresInMs: enabled ? 42_000 : null,
      seen: enabled ? 312 : 0,
      hits: enabled ? 94 : 0,
      applied: { of: enabled ? 1 : 0, acked: enabled ? 1 : 0 },
      effect: {
        p95BeforeMs: enabled ? 15 : null,
        p95NowMs: enabled ? 405 : null,
        errorPercentNow: enabled ? 0.4 : null,
      },
    };
  }

  #aged(fault: FaultView): FaultView {
    if (!fault.enabled) return fault;
    const expiresInMs = fault.expiresInMs === null ? null : fault.expiresInMs - 1_000;
    if (expiresInMs !== null && expiresInMs <= 0)
      return { ...fault, enabled: false, expiresInMs: null, applied: { of: 0, acked: 0 } };
    const seen = fault.seen + 36;
    return { ...fault, expiresInMs, seen, hits: Math.round((seen * fault.percent) / 100) };
  }
}

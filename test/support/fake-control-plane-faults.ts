import type { MethodInput } from '../../core/contract/contract.ts';
import type { FaultView } from '../../core/contract/shapes.ts';
import { describeFault, percentOf } from '../../core/model/describe-fault.ts';
import { parseDuration } from '../../core/model/duration.ts';
import { type FaultInjection, readFaultInjection, toFaultInjection } from '../../core/model/fault-injection.ts';
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
      this.#fault('f1', specOf({ ...edge, action: { kind: 'delay', delayMs: 400 }, percent: 30 }), true),
      this.#fault('f2', specOf({ ...edge, action: { kind: 'abort', httpStatus: 503 }, percent: 10 }), false),
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
          ...this.#fault(id, 'spec' in input ? input.spec : specOf(input), input.enabled),
          seen: 0,
          hits: 0,
        };
        made.expiresInMs = input.enabled ? made.durationMs : null;
        this.#faults = [made, ...this.#faults.filter((fault) => fault.id !== id)];
        this.#host.changed();
        return made;
      },
      'fault.toggle': ({ id, enabled }) => {
        this.#faults = this.#faults.map((fault) =>
          fault.id === id
            ? { ...this.#fault(id, fault.spec, enabled), expiresInMs: enabled ? fault.durationMs : null }
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

  #fault(id: string, spec: FaultInjection['spec'], enabled: boolean): FaultView {
    const { from = null, to, route = null, duration } = spec;
    return {
      ...{ id, from, to, route, spec },
      ...describeFault(spec),
      action: readFaultInjection(toResource(spec))?.action ?? null,
      percent: percentOf(spec),
      durationMs: duration === undefined ? null : parseDuration(duration),
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

const edge = { from: 'orders.shop', to: 'payments.shop', durationMs: 60_000 };

function specOf(input: Extract<MethodInput<'fault.set'>, { action: unknown }>): FaultInjection['spec'] {
  const { from, to, route = null, action, percent, durationMs = null } = input;
  return toFaultInjection({ id: '', from, to, route, action, percent, durationMs, seed: 1 }).spec;
}

function toResource(spec: FaultInjection['spec']): FaultInjection {
  return { apiVersion: 'meshdesk.dev/v1alpha1', kind: 'FaultInjection', metadata: { name: 'f' }, spec };
}

import { afterEach, describe, expect, it, vi } from 'vitest';
import { compileInjections, type TcpAction } from '../../../core/data-plane/faults/injection-set.ts';
import { ToxicDesk } from '../../../core/data-plane/toxics/toxic-desk.ts';
import type { InjectionConfig } from '../../../core/model/injection-config.ts';

afterEach(() => vi.useRealTimers());

const latency: TcpAction = { kind: 'tcp-latency', stream: 'downstream', latencyMs: 5, jitterMs: 0 };

function fault(changes: Partial<InjectionConfig> = {}): InjectionConfig {
  return {
    ...{ id: 'slow', service: 'db.shop', port: null, route: null, match: [], action: latency, percent: 100 },
    ...{ trigger: { kind: 'always' }, schedule: null, seed: 1, sinceMs: 0, expiresAtMs: null },
    ...changes,
  };
}

function startDesk(...faults: InjectionConfig[]) {
  vi.useFakeTimers();
  const state = { nowMs: 0, allowed: true, injections: compileInjections(faults), seen: [] as string[] };
  const desk = new ToxicDesk({
    injections: () => state.injections,
    nowMs: () => state.nowMs,
    faultsAllowed: () => state.allowed,
    telemetry: { faultSeen: (id, hit) => state.seen.push(`${id} ${hit}`) },
  });
  desk.configured();
  const pass = (ms: number) => {
    state.nowMs += ms;
    vi.advanceTimersByTime(ms);
  };
  const sit = (port = 5_432) => {
    const under = { upstream: 0, downstream: 0, refused: 0 };
    const seat = desk.seat({ service: 'db.shop', port });
    seat.occupy({
      setToxics: (upstream, downstream) => {
        under.upstream = upstream.length;
        under.downstream = downstream.length;
      },
      refuse: () => {
        under.refused += 1;
      },
    });
    return { seat, under };
  };
  const configure = (...next: InjectionConfig[]) => {
    state.injections = compileInjections(next, state.injections);
    desk.configured();
  };
  return { desk, state, pass, sit, configure };
}

describe('ToxicDesk', () => {
  it('puts a connection under the faults of its service and port, once drawn for it', () => {
    const { state, sit, pass } = startDesk(fault(), fault({ id: 'other-port', port: 1 }));
    const { under } = sit();
    pass(1_000);
    expect([under.upstream, under.downstream, state.seen]).toEqual([0, 1, ['slow true']]);
  });

  it('brings a fault to connections that are open, and takes it away from them', () => {
    const { sit, configure } = startDesk();
    const { under } = sit();
    configure(fault());
    expect(under.downstream).toBe(1);
    configure();
    expect(under.downstream).toBe(0);
  });

  it('ends a fault with its duration and with the lease, by itself', () => {
    const { state, sit, pass } = startDesk(fault({ expiresAtMs: 1_000 }), fault({ id: 'leased' }));
    const { under } = sit();
    expect(under.downstream).toBe(2);
    pass(1_100);
    expect(under.downstream).toBe(1);
    state.allowed = false;
    pass(100);
    expect(under.downstream).toBe(0);
  });

  it('follows a schedule and draws only once', () => {
    const schedule = { startAfterMs: 200, onMs: 300, offMs: 500 };
    const { state, sit, pass } = startDesk(fault({ schedule }));
    const { under } = sit();
    const turns: number[] = [];
    for (let step = 0; step < 12; step += 1) {
      turns.push(under.downstream);
      pass(100);
    }
    expect(turns).toEqual([0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1]);
    expect(state.seen).toEqual(['slow true']);
  });

  it('refuses connections of which the fault is drawn, and breaks off open ones', () => {
    const { desk, sit, configure } = startDesk();
    const { under } = sit();
    configure(fault({ id: 'down', action: { kind: 'tcp-refuse' }, trigger: { kind: 'every', count: 2 } }));
    expect(under.refused).toBe(0);
    expect(desk.seat({ service: 'db.shop', port: 1 }).isRefused).toBe(true);
    expect(desk.seat({ service: 'db.shop', port: 1 }).isRefused).toBe(false);
    expect(desk.seat({ service: 'web.shop', port: 1 }).isRefused).toBe(false);
  });

  it('looks at nothing while there is no fault of connections, and forgets who has left', () => {
    const { sit, configure, pass } = startDesk();
    const { seat, under } = sit();
    expect(vi.getTimerCount()).toBe(0);
    configure(fault());
    expect(vi.getTimerCount()).toBe(1);
    seat.leave();
    configure();
    pass(1_000);
    expect([vi.getTimerCount(), under.downstream]).toEqual([0, 1]);
  });
});

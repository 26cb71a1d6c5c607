import { describe, expect, it } from 'vitest';
import { FaultLease } from '../../../core/data-plane/control/fault-lease.ts';
import { MeshClock } from '../../../core/data-plane/control/mesh-clock.ts';

class ManualClock {
  wallMs = 1_000_000;
  elapsedMs = 50;
  nowMs = () => this.wallMs;
  monotonicMs = () => this.elapsedMs;
  pass(ms: number) {
    this.elapsedMs += ms;
    this.wallMs += ms;
  }
}

describe('FaultLease', () => {
  it('is valid from the first push until the last heartbeat is older than the lease', () => {
    const clock = new ManualClock();
    const lease = new FaultLease(clock);
    lease.begin(6_000);
    expect(lease.isValid).toBe(false);
    lease.arm();
    expect(lease.isValid).toBe(true);
    clock.pass(5_000);
    lease.renew();
    clock.pass(5_999);
    expect(lease.isValid).toBe(true);
    clock.pass(1);
    expect(lease.isValid).toBe(false);
  });

  it('goes on with a heartbeat that came late on the same connection', () => {
    const clock = new ManualClock();
    const lease = new FaultLease(clock);
    lease.begin(1_000);
    lease.arm();
    clock.pass(2_000);
    lease.renew();
    expect(lease.isValid).toBe(true);
  });

  it('needs a push from a control plane that connects after the lapse, but not from one that connects before', () => {
    const clock = new ManualClock();
    const lease = new FaultLease(clock);
    lease.begin(1_000);
    lease.arm();
    clock.pass(500);
    lease.begin(1_000);
    expect(lease.isValid).toBe(true);
    clock.pass(1_500);
    lease.begin(1_000);
    expect(lease.isValid).toBe(false);
    lease.arm();
    expect(lease.isValid).toBe(true);
  });

  it('is not moved by a jump of the wall clock', () => {
    const clock = new ManualClock();
    const lease = new FaultLease(clock);
    lease.begin(1_000);
    lease.arm();
    clock.wallMs -= 3_600_000;
    clock.elapsedMs += 1_000;
    expect(lease.isValid).toBe(false);
  });
});

describe('MeshClock', () => {
  it('tells the time of the control plane and ignores jumps of the local clock', () => {
    const clock = new ManualClock();
    const mesh = new MeshClock(clock);
    expect(mesh.nowMs()).toBe(1_000_000);
    mesh.adjust(5_000_000);
    clock.wallMs += 999;
    clock.elapsedMs += 250;
    expect(mesh.nowMs()).toBe(5_000_250);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { limitsFor } from '../../../core/data-plane/overload/open-files.ts';
import { defaultLimits, Overload, type OverloadReadings } from '../../../core/data-plane/overload/overload.ts';
import { parseUdpCounters } from '../../../core/data-plane/udp/udp-counter.ts';

const calm: OverloadReadings = { openFiles: 0, heapShare: 0.2, rssBytes: 50e6, lagMs: 1 };
const limits = { ...defaultLimits, openFiles: 150, connections: 100, connectionsPerListener: 80, requests: 10 };

function fill(overload: Overload, count: number, listener = 'a') {
  let taken = 0;
  for (let index = 0; index < count; index += 1) if (overload.opened(listener)) taken += 1;
  return taken;
}

describe('Overload', () => {
  it('takes no more connections than a listener may have, and leaves room for the others', () => {
    const overload = new Overload(limits);
    expect(fill(overload, 200, 'inbound')).toBe(80);
    expect(fill(overload, 200, 'outbound')).toBe(20);
    expect(overload.take()).toMatchObject({ level: 'refuse', reason: 'connections', refusedConnections: 120 + 180 });
  });

  it('sheds requests before it refuses connections, and stops both well below where they began', () => {
    const overload = new Overload(limits);
    fill(overload, 50, 'a');
    fill(overload, 39, 'b');
    expect(overload.level).toBe('none');
    fill(overload, 1, 'b');
    expect(overload.level).toBe('shed');
    expect(overload.requestBegan()).toBe(false);
    expect(overload.take()).toMatchObject({ shedRequests: 1, requests: 0 });
    for (let index = 0; index < 10; index += 1) overload.closed('b');
    expect(overload.level).toBe('shed');
    overload.closed('b');
    expect(overload.level).toBe('none');
    expect(overload.requestBegan()).toBe(true);
  });

  it('sheds the request beyond the number that may be under way, and takes the next when one has ended', () => {
    const overload = new Overload(limits);
    for (let index = 0; index < 10; index += 1) expect(overload.requestBegan()).toBe(true);
    expect(overload.requestBegan()).toBe(false);
    overload.requestEnded();
    expect(overload.requestBegan()).toBe(true);
    expect(overload.level).toBe('none');
  });

  it.each([
    ['open files', { openFiles: limits.openFiles }],
    ['heap', { heapShare: limits.heapShare }],
  ] as const)('refuses connections while there is too much of: %s', (reason, readings) => {
    const overload = new Overload(limits);
    overload.sample({ ...calm, ...readings });
    expect(overload.opened('a')).toBe(false);
    expect(overload.requestBegan()).toBe(false);
    expect(overload.take()).toMatchObject({ level: 'refuse', reason });
    overload.sample(calm);
    expect(overload.opened('a')).toBe(true);
    expect(overload.take()).toMatchObject({ level: 'none', reason: null });
  });

  it('sheds from the very request that finds too many bytes waiting, and not from the next reading on', () => {
    let held = 0;
    const overload = new Overload(limits, () => held);
    expect(overload.requestBegan()).toBe(true);
    held = limits.bufferedBytes * 0.9;
    expect(overload.requestBegan()).toBe(false);
    held = limits.bufferedBytes;
    overload.sample(calm);
    expect(overload.opened('a')).toBe(false);
    expect(overload.take()).toMatchObject({ level: 'refuse', reason: 'buffered bytes', bufferedBytes: held });
    held = 0;
    overload.sample(calm);
    expect([overload.opened('a'), overload.requestBegan()]).toEqual([true, true]);
  });

  it('refuses connections while a crowd takes too much memory, and not when the crowd has gone and the memory stays', () => {
    const overload = new Overload({ ...limits, connections: 2_000, connectionsPerListener: 1_000, openFiles: 5_000 });
    const full = { ...calm, rssBytes: limits.rssBytes };
    fill(overload, 300);
    overload.sample(full);
    expect(overload.opened('a')).toBe(false);
    expect(overload.take()).toMatchObject({ level: 'refuse', reason: 'memory' });
    for (let index = 0; index < 100; index += 1) overload.closed('a');
    overload.sample(full);
    expect(overload.take()).toMatchObject({ level: 'none', reason: null });
    expect(overload.opened('a')).toBe(true);
  });

  it('sheds requests when the event loop is late three times in a row, not when it was late once', () => {
    const overload = new Overload(limits);
    overload.sample({ ...calm, lagMs: 60_000 });
    expect(overload.level).toBe('none');
    overload.sample({ ...calm, lagMs: 60_000 });
    overload.sample({ ...calm, lagMs: 60_000 });
    expect(overload.take()).toMatchObject({ level: 'shed', reason: 'event loop lag' });
    expect(overload.opened('a')).toBe(true);
    overload.sample(calm);
    expect(overload.level).toBe('none');
  });

  it('counts back to nothing whatever the order of events', () => {
    const event = fc.constantFrom('open a', 'open b', 'close', 'begin', 'end', 'sample', 'calm');
    fc.assert(
      fc.property(fc.array(event, { maxLength: 300 }), (events) => {
        const overload = new Overload({ ...limits, connections: 5, connectionsPerListener: 4, requests: 3 });
        const open: string[] = [];
        let requests = 0;
        for (const name of events) {
          if (name === 'open a' && overload.opened('a')) open.push('a');
          if (name === 'open b' && overload.opened('b')) open.push('b');
          if (name === 'close' && open.length > 0) overload.closed(open.pop() ?? '');
          if (name === 'begin' && overload.requestBegan()) requests += 1;
          if (name === 'end' && requests > 0) {
            requests -= 1;
            overload.requestEnded();
          }
          if (name === 'sample') overload.sample({ ...calm, heapShare: 1 });
          if (name === 'calm') overload.sample(calm);
          expect(overload.connections).toBe(open.length);
          expect(open.length).toBeLessThanOrEqual(5);
          expect(requests).toBeLessThanOrEqual(3);
        }
        for (const listener of open) overload.closed(listener);
        overload.sample(calm);
        expect(overload.take()).toMatchObject({ level: 'none' });
        expect(overload.connections).toBe(0);
      }),
    );
  });
});

describe('limitsFor', () => {
  it('has no more connections than files that may be open, and counts those where they could run out', () => {
    expect(limitsFor(null)).toBe(defaultLimits);
    expect(limitsFor(1_048_576)).toBe(defaultLimits);
    expect(limitsFor(20_000)).toMatchObject({ connections: 16_384, connectionsPerListener: 12_288, openFiles: 17_744 });
    expect(limitsFor(1_024)).toMatchObject({ connections: 665, connectionsPerListener: 498, openFiles: 665 });
  });
});

describe('parseUdpCounters', () => {
  const snmp =
    'Ip: Forwarding\nIp: 1\nUdp: InDatagrams NoPorts InErrors OutDatagrams\nUdp: 12 1 0 34\nUdpLite: InDatagrams\nUdpLite: 9\n';
  it('adds up both families', () => {
    expect(parseUdpCounters(snmp, 'Udp6InDatagrams                 5\nUdp6OutDatagrams 6\n')).toEqual({
      packetsReceived: 17,
      packetsSent: 40,
    });
    expect(parseUdpCounters(snmp, '')).toEqual({ packetsReceived: 12, packetsSent: 34 });
  });
  it('knows nothing where the kernel says nothing', () => {
    expect(parseUdpCounters('', '')).toBeNull();
  });
});

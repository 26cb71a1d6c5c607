import { describe, expect, it } from 'vitest';
import { createBlackHole } from '../../../core/data-plane/toxics/black-hole.ts';
import { createLatency } from '../../../core/data-plane/toxics/latency.ts';
import { createResetPeer } from '../../../core/data-plane/toxics/reset-peer.ts';
import { ToxicWire } from '../../../core/data-plane/toxics/toxic-wire.ts';
import { MemoryWire } from '../../support/memory-wire.ts';
import { planned, VirtualTimers } from '../../support/toxic-bench.ts';

function start() {
  const below = new MemoryWire();
  const seen = { text: '', ended: false, closed: 0, error: null as Error | null, drains: 0 };
  const timers = new VirtualTimers();
  const wire = new ToxicWire(
    (owner) => {
      below.owner = owner;
      return below;
    },
    {
      onBytes: (bytes, start, end) => {
        seen.text += bytes.toString('latin1', start, end);
      },
      onEnd: () => {
        seen.ended = true;
      },
      onDrain: () => {
        seen.drains += 1;
      },
      onClose: (error) => {
        seen.closed += 1;
        seen.error = error;
      },
    },
    timers,
  );
  const send = (text: string) => {
    const bytes = Buffer.from(text);
    return wire.send(bytes, 0, bytes.length);
  };
  return { below, seen, timers, wire, send };
}

const latency = (ms: number) => planned(() => createLatency(ms, 0));
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('ToxicWire', () => {
  it('is transparent without toxics', () => {
    const { below, seen, wire, send } = start();
    expect(send('question')).toBe(true);
    const at = wire.reserve(10);
    wire.commit(at + wire.output.write(' more', at));
    below.receive(Buffer.from('answer'));
    expect([below.take().toString(), seen.text]).toEqual(['question more', 'answer']);
    below.owner.onEnd();
    wire.end();
    expect([seen.ended, below.ended, wire.writable]).toEqual([true, true, false]);
  });

  it('delays each direction by its own toxics, ends included', () => {
    const { below, seen, timers, wire, send } = start();
    wire.setToxics([latency(30)], [latency(50)]);
    send('question');
    wire.end();
    below.receive(Buffer.from('answer'));
    below.owner.onEnd();
    timers.advance(29);
    expect([below.take().toString(), below.ended]).toEqual(['', false]);
    timers.advance(1);
    expect([below.take().toString(), below.ended, seen.text]).toEqual(['question', true, '']);
    timers.advance(20);
    expect([seen.text, seen.ended]).toEqual(['answer', true]);
  });

  it('delivers what has arrived before it says that the connection is lost', async () => {
    const { below, seen, timers, wire } = start();
    wire.setToxics([], [latency(50)]);
    below.receive(Buffer.from('answer'));
    below.owner.onClose(new Error('gone'));
    expect([seen.text, seen.closed]).toEqual(['', 0]);
    timers.advance(50);
    expect([seen.text, seen.closed, seen.error?.message]).toEqual(['answer', 1, 'gone']);
  });

  it('tells nobody twice when its owner destroys it', async () => {
    const { below, seen, timers, wire } = start();
    wire.setToxics([], [latency(50)]);
    below.receive(Buffer.from('answer'));
    wire.destroy();
    await settled();
    timers.advance(100);
    expect([seen.text, seen.closed, wire.closed, timers.pending]).toEqual(['', 1, true, 0]);
  });

  it('resets the connection below and reports a reset', async () => {
    const { below, seen, wire } = start();
    wire.setToxics([], [planned(() => createResetPeer(0))]);
    below.receive(Buffer.from('answer'));
    await settled();
    expect([below.wasReset, seen.closed, (seen.error as NodeJS.ErrnoException).code]).toEqual([true, 1, 'ECONNRESET']);
  });

  it('closes the connection below when a black hole has had its time', async () => {
    const { below, seen, timers, wire } = start();
    wire.setToxics([], [planned(() => createBlackHole(100))]);
    timers.advance(100);
    await settled();
    expect([below.ended, below.closed, seen.closed, seen.error]).toEqual([true, true, 1, null]);
  });

  it('keeps back what arrives while its owner reads nothing, and goes on afterwards', async () => {
    const { below, seen, wire } = start();
    wire.setToxics([], [latency(0)]);
    wire.pause();
    for (let index = 0; index < 2_000; index += 1) below.receive(Buffer.from('x'));
    expect([seen.text, below.paused]).toEqual(['', true]);
    wire.resume();
    expect(seen.text).toBe('');
    await settled();
    expect([seen.text.length, below.paused]).toEqual([2_000, false]);
  });

  it('asks its owner to wait while the connection below takes nothing', () => {
    const { below, seen, wire, send } = start();
    below.sendLimitBytes = 1;
    below.stuck = true;
    expect([send('first'), seen.drains]).toEqual([false, 0]);
    below.drain();
    expect([seen.drains, send('second')]).toEqual([1, true]);
    expect(wire.writable).toBe(true);
  });
});

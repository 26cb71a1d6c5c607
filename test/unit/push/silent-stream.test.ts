import { Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { SidecarConnection } from '../../../core/control-plane/push/sidecar-connection.ts';

const events = {
  onAck: () => undefined,
  onNack: () => undefined,
  onTelemetry: () => undefined,
  onDrainProgress: () => undefined,
  onLog: () => undefined,
  onClose: () => undefined,
};

describe('a stream on which nobody answers', () => {
  it('is closed when the connection is given up, so that nothing of it stays open', async () => {
    const stream = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
    const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };
    const opening = SidecarConnection.open(stream, events, { leaseMs: 6_000, clock, answerTimeoutMs: 50 });
    await expect(opening).rejects.toThrow();
    expect(stream.destroyed).toBe(true);
  });
});

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type ControlEffects, ControlSession } from '../../../core/data-plane/control/control-session.ts';
import { createLogger } from '../../../core/data-plane/logger.ts';
import { FromSidecar } from '../../../core/model/control-stream.ts';

class FakeChannel {
  readonly sent: FromSidecar[] = [];
  bufferedBytes = 0;
  closed: string | null = null;
  send(text: string) {
    this.sent.push(FromSidecar.parse(JSON.parse(text)));
  }
  close(_code: number, reason: string) {
    this.closed = reason;
  }
}

const report = { fromMs: 0, toMs: 1, edges: [], samples: [], faults: [] };
const figures = { rssBytes: 1, cpuUs: 1, eventLoopLagMs: 0, connections: 0, unseenConnections: null };

function createSession() {
  const channel = new FakeChannel();
  let reportsTaken = 0;
  const effects: ControlEffects = {
    program: 'test',
    revision: () => null,
    config: () => null,
    certificateSerial: () => null,
    beginLease: () => undefined,
    heartbeat: () => undefined,
    push: () => Promise.resolve(),
    createCertificateRequest: () => Promise.reject(new Error('no randomness left')),
    installCertificate: () => '01',
    installFaultyCertificate: () => '01',
    trust: () => undefined,
    drain: () => undefined,
    share: () => true,
    retire: () => undefined,
    undrain: () => undefined,
    takeReport: () => {
      reportsTaken += 1;
      return { ...report, process: figures };
    },
  };
  const session = new ControlSession(
    channel,
    effects,
    createLogger('error', () => undefined),
  );
  const receive = async (message: unknown) => {
    session.receive(JSON.stringify(message));
    await vi.advanceTimersByTimeAsync(0);
  };
  return { channel, session, receive, reportsTaken: () => reportsTaken };
}

describe('ControlSession', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('leaves reports out, and counters where they are, while the other side is behind', async () => {
    const { channel, receive, reportsTaken } = createSession();
    await receive({ type: 'hello', version: 1, leaseMs: 1000, nowMs: 0 });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(reportsTaken()).toBe(1);
    channel.bufferedBytes = 1_000_000;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(reportsTaken()).toBe(1);
    channel.bufferedBytes = 0;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(channel.sent.filter(({ type }) => type === 'telemetry')).toHaveLength(2);
  });

  it('says nothing after it was closed', async () => {
    const { channel, session, receive } = createSession();
    await receive({ type: 'hello', version: 1, leaseMs: 1000, nowMs: 0 });
    session.close();
    const count = channel.sent.length;
    await receive({ type: 'certificate.request', id: '1', spiffeId: 'spiffe://x' });
    await vi.advanceTimersByTimeAsync(3_000);
    session.log('warn', 'unheard');
    expect(channel.sent).toHaveLength(count);
  });

  it('answers a request it cannot serve with the reason', async () => {
    const { channel, receive } = createSession();
    await receive({ type: 'hello', version: 1, leaseMs: 1000, nowMs: 0 });
    await receive({ type: 'certificate.request', id: '7', spiffeId: 'spiffe://x' });
    expect(channel.sent.at(-1)).toEqual({ type: 'certificate.failed', id: '7', message: 'no randomness left' });
  });
});

describe('createLogger', () => {
  it('writes at most fifty lines a second and says how many it left out', () => {
    let now = 5_000;
    const lines: string[] = [];
    const forwarded: string[] = [];
    const logger = createLogger(
      'warn',
      (line) => lines.push(line),
      (_level, message) => forwarded.push(message),
      () => now,
    );
    for (let index = 0; index < 80; index += 1) logger.warn(`refused ${index}`);
    logger.info('not at this level');
    expect(lines).toHaveLength(50);
    now = 6_000;
    logger.error('next second', new Error('with a stack'));
    expect(forwarded.slice(50)).toEqual(['30 more messages were left out', 'next second']);
    expect(lines.at(-1)).toContain('Error: with a stack');
  });
});

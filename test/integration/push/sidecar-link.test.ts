import { connect as connectPipe, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PushQueue } from '../../../core/control-plane/push/push-queue.ts';
import type { SidecarConnection } from '../../../core/control-plane/push/sidecar-connection.ts';
import { type LinkEvents, SidecarLink } from '../../../core/control-plane/push/sidecar-link.ts';
import { systemClock } from '../../../core/control-plane/system-clock.ts';
import type { SidecarConfig } from '../../../core/model/sidecar-config.ts';
import type { TelemetryReport } from '../../../core/model/telemetry-report.ts';
import { silentLogger } from '../../../core/shared/logger.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeSidecar } from '../../support/fake-sidecar.ts';

const config = (revision: number): SidecarConfig => ({
  formatVersion: 1,
  revision,
  workload: {
    id: 'w',
    name: 'w',
    service: 'w',
    namespace: 'shop',
    version: null,
    spiffeId: 'spiffe://cluster.local/ns/shop/sa/w',
  },
  trustDomain: 'cluster.local',
  listeners: { kind: 'transparent', outboundPort: 15001, inboundPort: 15006 },
  inbound: { mtls: 'PERMISSIVE', ports: [] },
  services: [],
  faults: [],
});

class RecordedLinkEvents implements LinkEvents {
  readonly log: string[] = [];
  readonly reports: TelemetryReport[] = [];
  connected: (connection: SidecarConnection, restarted: boolean) => Promise<void> = async () => undefined;
  async onConnected(connection: SidecarConnection, restarted: boolean): Promise<void> {
    this.log.push(restarted ? 'connected again to a new process' : 'connected');
    await this.connected(connection, restarted);
  }
  onDisconnected(reason: string): void {
    this.log.push(`disconnected: ${reason}`);
  }
  onAck(revision: number): void {
    this.log.push(`ack ${revision}`);
  }
  onNack(nack: { code: string; message: string; revision: number | null }): void {
    this.log.push(`nack ${nack.revision} ${nack.code}`);
  }
  onTelemetry(report: TelemetryReport): void {
    this.reports.push(report);
  }
  onDrainProgress(counts: { http: number; tcp: number }): void {
    this.log.push(`drain ${counts.http} ${counts.tcp}`);
  }
}

let sidecar: FakeSidecar;
let events: RecordedLinkEvents;
let link: SidecarLink;

beforeEach(async () => {
  sidecar = await new FakeSidecar().start();
  events = new RecordedLinkEvents();
  link = createLink(() => sidecar.connect());
});
afterEach(async () => {
  link.close();
  await sidecar.close();
});

function createLink(connect: () => ReturnType<FakeSidecar['connect']>, answerTimeoutMs = 20_000): SidecarLink {
  return new SidecarLink({
    name: 'w',
    connect,
    events,
    leaseMs: 150,
    clock: systemClock,
    random: () => 0.5,
    log: silentLogger,
    answerTimeoutMs,
  });
}

describe('push', () => {
  it('says hello, pushes and learns of the ACK', async () => {
    await link.open();
    link.push(config(1));
    expect(await link.waitForAck(1, 20_000)).toBe(true);
    expect(sidecar.told.map((message) => message.type).slice(0, 2)).toEqual(['hello', 'push']);
    expect(sidecar.told[0]).toMatchObject({ leaseMs: 150, version: 1 });
    expect(link.ackedRevision).toBe(1);
  });

  it('keeps one push on the way and one waiting, the newest', async () => {
    sidecar.ackMode = 'hold';
    await link.open();
    for (const revision of [1, 2, 3, 4, 5]) link.push(config(revision));
    await eventually('the first push', () => sidecar.configs.length === 1);
    sidecar.ackMode = 'ack';
    sidecar.releaseAcks();
    expect(await link.waitForAck(5, 20_000)).toBe(true);
    expect(sidecar.configs.map(({ revision }) => revision)).toEqual([1, 5]);
  });

  it('reports a NACK with its revision, and the next push still arrives', async () => {
    sidecar.ackMode = 'nack';
    await link.open();
    link.push(config(1));
    await eventually('the NACK', () => events.log.includes('nack 1 BAD'));
    expect(link.ackedRevision).toBe(null);
    sidecar.ackMode = 'ack';
    link.push(config(2));
    expect(await link.waitForAck(2, 20_000)).toBe(true);
  });

  it('says so when no ACK comes in time, and pushes again on a new connection', async () => {
    link.close();
    link = createLink(() => sidecar.connect(), 1_500);
    sidecar.ackMode = 'hold';
    await link.open();
    link.push(config(1));
    expect(await link.waitForAck(1, 50)).toBe(false);
    await eventually('the timeout', () => events.log.some((line) => /revision 1 was not answered/.test(line)));
    sidecar.ackMode = 'ack';
    expect(await link.waitForAck(1, 20_000)).toBe(true);
  });

  it('holds a push back while the stream is full', () => {
    const sent: number[] = [];
    let full = true;
    const queue = new PushQueue(
      (pushed) => sent.push(pushed.revision),
      () => !full,
    );
    queue.push(config(1));
    queue.push(config(2));
    expect(sent).toEqual([]);
    full = false;
    queue.flush();
    expect(sent).toEqual([2]);
    queue.push(config(3));
    queue.answered(1);
    expect(queue.inFlight).toBe(2);
    queue.answered(2);
    expect(sent).toEqual([2, 3]);
  });
});

describe('a change', () => {
  const service = (name: string, port: number): SidecarConfig['services'][number] => ({
    key: `${name}.shop`,
    name,
    namespace: 'shop',
    hosts: [name],
    ports: [{ port, protocol: 'auto' }],
    subsets: [],
    routes: [],
    endpoints: [],
  });
  const names = ['a', 'b', 'c', 'd', 'e'];
  const large = (revision: number, portOfC: number, without = '') => ({
    ...config(revision),
    services: names.filter((name) => name !== without).map((name) => service(name, name === 'c' ? portOfC : 80)),
  });

  it('of one service among many travels alone', async () => {
    await link.open();
    link.push(large(1, 80));
    expect(await link.waitForAck(1, 20_000)).toBe(true);
    link.push(large(2, 81, 'e'));
    expect(await link.waitForAck(2, 20_000)).toBe(true);
    const change = sidecar.told.at(-1);
    expect(change).toMatchObject({ type: 'push.change', base: 1, removed: ['e.shop'] });
    expect(change?.type === 'push.change' && change.config.services.map(({ key }) => key)).toEqual(['c.shop']);
    expect(sidecar.configs.at(-1)).toEqual(large(2, 81, 'e'));
  });

  it('is followed by the whole configuration when its base is not in force', async () => {
    await link.open();
    link.push(large(1, 80));
    expect(await link.waitForAck(1, 20_000)).toBe(true);
    sidecar.revision = 0;
    link.push(large(2, 81));
    expect(await link.waitForAck(2, 20_000)).toBe(true);
    expect(sidecar.told.slice(-2).map(({ type }) => type)).toEqual(['push.change', 'push']);
    expect(sidecar.configs.at(-1)).toEqual(large(2, 81));
    expect(events.log.filter((line) => line.startsWith('nack'))).toEqual([]);
  });

  it('after a refused one is a change of what is still in force', async () => {
    await link.open();
    link.push(large(1, 80));
    expect(await link.waitForAck(1, 20_000)).toBe(true);
    sidecar.ackMode = 'nack';
    link.push(large(2, 81));
    await eventually('the refusal', () => events.log.includes('nack 2 BAD'));
    sidecar.ackMode = 'ack';
    link.push(large(3, 82));
    expect(await link.waitForAck(3, 20_000)).toBe(true);
    expect(sidecar.told.at(-1)).toMatchObject({ type: 'push.change', base: 1 });
    expect(sidecar.configs.at(-1)).toEqual(large(3, 82));
  });
});

describe('a lost connection', () => {
  it('is dialled again; a new process gets the configuration anew', async () => {
    await link.open();
    link.push(config(7));
    await link.waitForAck(7, 20_000);
    sidecar.restart();
    await eventually('the new process', () => events.log.includes('connected again to a new process'));
    await eventually('the second push', () => sidecar.configs.length === 2);
    expect(await link.waitForAck(7, 20_000)).toBe(true);
  });

  it('does not take the revision of an earlier control plane for an ACK', async () => {
    sidecar.revision = 90;
    await link.open();
    expect(link.ackedRevision).toBe(null);
    expect(link.connection?.hello.revision).toBe(90);
  });

  it('is tried until the sidecar is back', async () => {
    await link.open();
    link.push(config(1));
    const old = sidecar;
    let dialled = 0;
    const path = old.path;
    link.close();
    link = createLink(async () => {
      dialled += 1;
      if (dialled < 3) throw new Error('connection refused');
      return new Promise((resolve) => {
        const socket = connectPipe(path, () => resolve(socket));
      });
    });
    link.push(config(2));
    await link.keep();
    expect(await link.waitForAck(2, 20_000)).toBe(true);
    expect(events.log.filter((line) => line === 'disconnected: connection refused')).toHaveLength(2);
  });

  it('is noticed when the peer goes silent', async () => {
    await link.open();
    const silent = createServer((socket) => socket.resume());
    const path = join(tmpdir(), `silent-${process.pid}.sock`);
    await new Promise<void>((resolve) => silent.listen(path, resolve));
    link.close();
    link = createLink(
      () =>
        new Promise((resolve) => {
          const socket = connectPipe(path, () => resolve(socket));
        }),
      300,
    );
    await expect(link.open()).rejects.toMatchObject({ code: 'SIDECAR_UNREACHABLE' });
    silent.close();
  });

  it('ends when the sidecar breaks the protocol', async () => {
    await link.open();
    sidecar.send({ type: 'ack', revision: 'one' });
    await eventually('the end', () => events.log.some((line) => /does not fit the control stream/.test(line)));
  });
});

describe('certificates', () => {
  const issue = async () => ({ chainPem: ['never'], trustBundlePem: ['never'] });

  it('fail with the sidecar’s own words', async () => {
    sidecar.certificateMode = 'fail';
    await link.open();
    await expect(link.connection?.installCertificate('spiffe://a/ns/b/sa/c', issue)).rejects.toMatchObject({
      code: 'IDENTITY_FAILED',
      message: 'The sidecar could not use its certificate: no entropy.',
    });
  });

  it('fail when the connection ends meanwhile', async () => {
    sidecar.certificateMode = 'silent';
    await link.open();
    const asked = link.connection?.installCertificate('spiffe://a/ns/b/sa/c', issue);
    await eventually('the request', () => sidecar.received.some(({ type }) => type === 'certificate.request'));
    sidecar.dropConnections();
    await expect(asked).rejects.toMatchObject({ code: 'SIDECAR_UNREACHABLE' });
  });
});

describe('while connected', () => {
  it('sends heartbeats, which renew the lease of faults', async () => {
    await link.open();
    await eventually('three heartbeats', () => sidecar.received.filter(({ type }) => type === 'heartbeat').length >= 3);
    expect(events.log).toEqual(['connected']);
  });

  it('hands on telemetry and the progress of a drain', async () => {
    await link.open();
    sidecar.report({ toMs: 5 });
    await eventually('the report', () => events.reports.length === 1);
    sidecar.drainCounts = { http: 1, tcp: 2 };
    expect(await link.connection?.drain(1_000, 'keep')).toEqual({ http: 0, tcp: 0 });
    expect(events.log).toContain('drain 1 2');
    expect(sidecar.told.at(-1)).toEqual({ type: 'drain', deadlineMs: 1_000, tcp: 'keep' });
  });
});

/**
 * Much at once through the sidecars of both ends: a gigabyte each way, and very many clients. What a sidecar holds
 * meanwhile is bounded. MESHDESK_TEST_SCALE (default 1) multiplies both sizes.
 */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { postgresDir } from '../support/docker-program-image.ts';
import type { ClientEvent, Operation } from '../support/docker-program-shop.ts';
import { eventually } from '../support/eventually.ts';
import { ProgramMesh } from '../support/program-mesh.ts';

const scale = Number(process.env['MESHDESK_TEST_SCALE'] ?? 1);
const transferBytes = Math.round(1_024 ** 3 * scale);
const clients = Math.round(10_000 * scale);
const mib = 1_024 ** 2;
/** What warms a sidecar up: after it, the same again and more must not need more memory. */
const warmUpBytes = Math.min(256 * mib, transferBytes);
const transferGrowthBytes = 32 * mib;
/** Of which a Node 24 that does nothing has 55; growth is what the test is about. */
const mostTransferBytes = 208 * mib;
const idleClientsBytes = 150 * mib;
/** While all of them ask at once, and just after. */
const busyClientsBytes = 256 * mib;
/** For each of these amounts, on a machine that is busy with other things. */
const slowestMs = 240_000;
const silentClients = Math.round(6_000 * scale);

describe.skipIf(postgresDir === null)('much traffic through two sidecars', () => {
  const mesh = new ProgramMesh(['server']);
  const { shop } = mesh;
  const members = ['client', 'server'] as const;

  beforeAll(async () => {
    await mesh.start();
  });
  afterAll(() => mesh.close());

  /** The most that each sidecar held until the operation ended. */
  const watch = async (operation: Operation, timeoutMs: number) => {
    const peaks = { client: 0, server: 0 };
    let outcome: ClientEvent | null = null;
    const ended = operation.outcome(timeoutMs).then((event) => {
      outcome = event;
    });
    while (outcome === null) {
      for (const member of members) {
        const { rssBytes } = await shop.sidecarFigures(member);
        peaks[member] = Math.max(peaks[member], rssBytes);
      }
      await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 100))]);
    }
    return { peaks, outcome: outcome as ClientEvent };
  };

  it('holds very many keep-alive clients in bounded memory, answers all of them, and lets them go', async () => {
    const before = await Promise.all(members.map((member) => shop.sidecarFigures(member)));
    const operation = await shop.operate('keep-alive', 'server', clients, 0, 64);
    onTestFinished(() => operation.proceed());
    expect(await operation.begun(slowestMs)).toMatchObject({ open: clients, answered: clients, failures: {} });
    const held = await shop.sidecarFigures('client');
    expect(held.connections).toBeGreaterThanOrEqual(clients);
    for (const member of members) {
      // Each gives back what serves requests once it has asked nothing for a while.
      await eventually(
        `the ${member} holds its idle clients in ${idleClientsBytes / mib} MiB`,
        async () => (await shop.sidecarFigures(member)).rssBytes < idleClientsBytes,
      );
    }
    operation.proceed();
    expect(await operation.outcome(slowestMs)).toMatchObject({
      outcome: 'complete',
      open: clients,
      answered: 2 * clients,
      failures: {},
    });
    for (const [index, member] of members.entries()) {
      const allowed = (before[index]?.connections ?? 0) + 64;
      await eventually(
        `the sidecar of the ${member} has let them go`,
        async () => (await shop.sidecarFigures(member)).connections <= allowed,
      );
    }
    const after = await Promise.all(members.map((member) => shop.sidecarFigures(member)));
    for (const { rssBytes } of after) expect(rssBytes).toBeLessThan(busyClientsBytes);
  });

  it.each(['download-digest', 'upload-digest'])('carries one gibibyte unchanged in flat memory: %s', async (kind) => {
    const before = await watch(await shop.operate(kind, 'server', warmUpBytes), slowestMs);
    expect(before.outcome).toMatchObject({ outcome: 'complete' });
    const { peaks, outcome } = await watch(await shop.operate(kind, 'server', transferBytes), slowestMs);
    expect(outcome).toMatchObject({ outcome: 'complete' });
    for (const member of members) {
      expect(peaks[member] - before.peaks[member], `${member}: ${peaks[member]} bytes`).toBeLessThan(
        transferGrowthBytes,
      );
      expect(peaks[member], member).toBeLessThan(mostTransferBytes);
    }
    expect((await shop.securedEdge(mesh.client, 'server')).mtls).toBe('closed');
  });

  it('survives a flood of clients that say nothing, and serves the next one when they have gone', async () => {
    const before = await Promise.all(members.map((member) => shop.sidecarFigures(member)));
    const operation = await shop.operate('silent', 'server', silentClients);
    onTestFinished(() => operation.proceed());
    await operation.begun(slowestMs);
    // Each takes a connection to the application: it may be a server's turn to speak first.
    await eventually('they arrive', async () => (await shop.sidecarFigures('client')).connections > silentClients / 4);
    operation.proceed();
    expect(await operation.outcome(slowestMs)).toMatchObject({ outcome: 'complete' });
    await shop.answers('the server', ['curl', '-sf', '-m', '2', 'http://server:8080/hello']);
    const after = await Promise.all(members.map((member) => shop.sidecarFigures(member)));
    expect(after.map(({ pid }) => pid)).toEqual(before.map(({ pid }) => pid));
  });
});

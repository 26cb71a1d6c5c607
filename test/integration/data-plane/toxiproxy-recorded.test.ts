/**
 * Connections under toxics against a real toxiproxy: what it did is recorded in test/fixtures/toxiproxy (with its version),
 * and a sidecar must do the same. To record anew, with a toxiproxy-server of one's own:
 *   TOXIPROXY_SERVER=/path/to/toxiproxy-server npx vitest run --project integration test/integration/data-plane/toxiproxy-recorded.test.ts
 */
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { quietServer, ToxicEdge, tcpFault } from '../../support/toxic-edge.ts';
import { Toxiproxy } from '../../support/toxiproxy.ts';
import {
  type EdgeUnderTest,
  observe,
  type SideSeen,
  type SidesSeen,
  scenarios,
  toToxiproxy,
} from '../../support/toxiproxy-scenarios.ts';

const file = fileURLToPath(new URL('../../fixtures/toxiproxy/recorded.json', import.meta.url));
const program = process.env['TOXIPROXY_SERVER'];
type Recorded = Record<string, SidesSeen>;

async function record(path: string): Promise<void> {
  const server = quietServer();
  server.on('connection', (socket) => socket.on('error', () => undefined));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy = await Toxiproxy.start(path, server);
  const edge: EdgeUnderTest = {
    set: (actions) => proxy.set(...actions.map(toToxiproxy)),
    open: async () => {
      const accepted = once(server, 'connection');
      const client = proxy.dial();
      const [socket] = await accepted;
      return { client, server: socket };
    },
  };
  const seen: Recorded = {};
  for (const scenario of scenarios) seen[scenario.name] = await observe(edge, scenario);
  await proxy.close();
  server.close();
  const version = process.env['TOXIPROXY_VERSION'] ?? 'unknown';
  writeFileSync(file, `${JSON.stringify({ toxiproxy: version, seen }, null, 2)}\n`);
}

/** Where a sidecar differs on purpose, and why. */
const differences: Readonly<Record<string, { readonly why: string; readonly server?: SideSeen['ending'] }>> = {
  'slow close: data at once, the end late': {
    why: 'the other direction lives on when one side has ended (half-close); toxiproxy closes both',
    server: 'open',
  },
};

describe('a sidecar and toxiproxy', () => {
  let edge: ToxicEdge;
  let recorded: Recorded;
  beforeAll(async () => {
    if (program !== undefined) await record(program);
    recorded = JSON.parse(readFileSync(file, 'utf8')).seen;
    edge = await ToxicEdge.start(quietServer());
  }, 90_000);
  afterAll(() => edge.close());

  it.each(scenarios)('$name', { retry: 5 }, async (scenario) => {
    const theirs = recorded[scenario.name];
    if (theirs === undefined) throw new Error('this scenario has not been recorded');
    const difference = differences[scenario.name];
    const isWhole = ({ client, server }: SidesSeen) =>
      client.bytes >= theirs.client.bytes &&
      server.bytes >= theirs.server.bytes &&
      (client.ending !== 'open' || theirs.client.ending === 'open') &&
      (server.ending !== 'open' || (difference?.server ?? theirs.server.ending) === 'open');
    const ours = await observe(
      {
        set: (actions) => edge.inject(...actions.map((action, index) => tcpFault(action, { id: `toxic-${index}` }))),
        open: () => edge.open(),
      },
      scenario,
      isWhole,
    );
    expect({ bytes: ours.client.bytes, ending: ours.client.ending }).toEqual({
      bytes: theirs.client.bytes,
      ending: theirs.client.ending,
    });
    expect({ bytes: ours.server.bytes, ending: ours.server.ending }).toEqual({
      bytes: theirs.server.bytes,
      ending: difference?.server ?? theirs.server.ending,
    });
    // Never earlier; later only as much as the machine is busy.
    const slackMs = 15;
    expect(ours.client.lastMs).toBeGreaterThanOrEqual(theirs.client.lastMs - slackMs);
    expect(ours.client.endedMs).toBeGreaterThanOrEqual(theirs.client.endedMs - slackMs);
    expect(ours.server.lastMs).toBeGreaterThanOrEqual(theirs.server.lastMs - slackMs);
    if (scenario.name.includes('pieces') || scenario.name.includes('halves')) {
      // A busy machine lets pieces arrive together.
      expect(ours.client.bursts).toBeLessThanOrEqual(theirs.client.bursts);
      expect(ours.client.bursts).toBeGreaterThan(theirs.client.bursts / 2);
    }
  });
});

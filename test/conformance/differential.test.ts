/**
 * nginx, HAProxy and node:http get the corpus too: behind the sidecar, where they have to understand what it meant, and in its
 * place, where every difference has to have a reason. docs/conformance.md is made of the differences; `vitest -u` writes it.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Comparison, sendCase, type Verdict } from '../support/conformance/compare-peers.ts';
import { findProgram, type Peer, type PeerName, peerNames, startPeer } from '../support/conformance/peers.ts';
import { openPath, type SidecarPath } from '../support/conformance/sidecar-paths.ts';
import type { RequestCase } from './cases/case.ts';
import { requestCases } from './cases/requests.ts';
import { type Difference, differenceOf, reasonFor, reasons, renderDifferences } from './differences.ts';

const compared: Readonly<Record<string, readonly RequestCase[]>> = Object.fromEntries(
  Object.entries(requestCases).map(([subject, cases]) => [
    subject,
    cases.filter(({ outcome }) => outcome !== 'unfinished'),
  ]),
);
/** The versions that the page was written with. Others differ elsewhere, and the laws below hold for them as well. */
const documented: Readonly<Record<PeerName, RegExp>> = { nginx: /^1\.22\./, haproxy: /^2\.6\./, node: /^20\./ };

const missing = (name: PeerName) => name !== 'node' && findProgram(name) === null;
for (const name of peerNames.filter(missing)) process.stderr.write(`skipped: there is no ${name} to compare with\n`);

const differences: Difference[] = [];
const versions: Partial<Record<PeerName, string>> = {};

for (const name of peerNames) {
  describe.skipIf(missing(name))(`beside ${name}`, () => {
    let peer: Peer;
    let sidecars: SidecarPath;

    beforeAll(async () => {
      peer = await startPeer(name);
      sidecars = await openPath('outbound', peer.port);
      versions[name] = peer.version;
    });

    afterAll(async () => {
      await sidecars.close();
      await peer.close();
    });

    for (const [subject, cases] of Object.entries(compared)) {
      test(`${subject}: ${name} behind the sidecar understands what was meant`, async () => {
        const unlike: (Comparison & { name: string })[] = [];
        for (const listed of cases) {
          const comparison = await sendCase(listed, sidecars.port, peer, 10_000);
          // It may refuse what it does not like; it must not make anything else of it.
          const allowed: Verdict[] = listed.outcome === 'refused' ? ['refuses'] : ['forwards', 'refuses'];
          if (!allowed.includes(comparison.verdict)) unlike.push({ name: listed.name, ...comparison });
        }
        expect(unlike).toEqual([]);
      });

      test(`${subject}: where ${name} differs from the sidecar, the reason is known`, async () => {
        const unexplained: Difference[] = [];
        for (const listed of cases) {
          const difference = differenceOf(
            name,
            subject,
            listed,
            (await sendCase(listed, peer.port, peer, 1_000)).verdict,
          );
          if (difference === null) continue;
          differences.push(difference);
          if (reasonFor(difference) === null) unexplained.push(difference);
        }
        expect(unexplained).toEqual([]);
      });
    }
  });
}

describe('the page of differences', () => {
  const isDocumented = () => peerNames.every((name) => documented[name].test(versions[name] ?? ''));

  test('says what was observed', async (context) => {
    context.skip(!isDocumented(), `the page was written with other versions than ${JSON.stringify(versions)}`);
    await expect(renderDifferences(differences)).toMatchFileSnapshot('../../docs/conformance.md');
  });

  test('has no reason that nothing needs', (context) => {
    context.skip(!isDocumented(), `the page was written with other versions than ${JSON.stringify(versions)}`);
    const used = new Set(differences.map(reasonFor));
    expect(reasons.filter((reason) => !used.has(reason))).toEqual([]);
  });
});

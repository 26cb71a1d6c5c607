/** The whole corpus, over and over, through sidecars as they ship: nothing that a connection used stays behind. */
import { afterEach, describe, expect, test } from 'vitest';
import { type Cutting, RawClient } from '../support/conformance/raw-client.ts';
import { RecordingUpstream } from '../support/conformance/recording-upstream.ts';
import { openPathOf, type PathName } from '../support/conformance/sidecar-paths.ts';
import { SidecarProcess } from '../support/conformance/sidecar-process.ts';
import { eventually } from '../support/eventually.ts';
import { get } from './cases/case.ts';
import { requestCases } from './cases/requests.ts';

const megabyte = 1024 * 1024;
const streams = Object.values(requestCases)
  .flat()
  .map(({ send }) => send);

let closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.reverse()) await close();
  closers = [];
});

/** Sends everything once, ten at a time, and leaves each connection in one of the ways in which clients leave. */
async function pass(port: number, cutting: Cutting): Promise<void> {
  const left = [...streams.entries()];
  const work = async () => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      const [index, stream] = next;
      const client = await RawClient.open(port);
      await client.send(get('', '/first') + stream, cutting);
      if (index % 3 === 0) client.reset();
      else if (index % 3 === 1) client.socket.end();
      // Whoever waits for an answer that may not come leaves at the end.
      if (index % 3 === 1) await client.end();
      client.close();
    }
  };
  await Promise.all(Array.from({ length: 10 }, work));
}

describe.runIf(process.platform === 'linux').each(['outbound', 'pair'] satisfies PathName[])('leaks, %s', (path) => {
  test('connections, descriptors and memory are given back', { timeout: 300_000 }, async () => {
    const upstream = await new RecordingUpstream().start();
    closers.push(() => upstream.close());
    const sidecars = await openPathOf(path, upstream.port, (options) => SidecarProcess.start(options));
    closers.push(() => sidecars.close());
    const usages = () => Promise.all(sidecars.sidecars.map((sidecar) => sidecar.usage()));
    const idle = await usages();
    for (const cutting of ['whole', { seed: 1 }, { seed: 2 }] as const) await pass(sidecars.port, cutting);
    const warm = await usages();
    for (const seed of [3, 4, 5, 6, 7, 8]) {
      await pass(sidecars.port, { seed });
      upstream.forget();
    }
    upstream.reset();
    await eventually('the descriptors to be given back', async () => {
      const now = await usages();
      return now.every(({ files }, index) => files <= (idle[index]?.files ?? 0) + 4);
    });
    const hot = await usages();
    const grown = hot.map(({ residentBytes }, index) => residentBytes - (warm[index]?.residentBytes ?? 0));
    expect(Math.max(...grown)).toBeLessThan(24 * megabyte);
    expect(Math.max(...hot.map(({ residentBytes }) => residentBytes))).toBeLessThan(160 * megabyte);
  });
});

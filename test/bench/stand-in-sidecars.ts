/**
 * Many stand-in sidecars in one process of their own, so that the control plane's memory can be measured apart: each keeps
 * a control stream on a Unix socket, acknowledges, and reports three busy edges once a second. COUNT of them; prints
 * the socket paths as one line of JSON; ends when stdin does.
 */
import { FakeSidecar } from '../support/fake-sidecar.ts';
import { httpEdge, toReport } from '../support/telemetry-report.ts';

const count = Number(process.env['COUNT'] ?? 0);
const callsPerWorkload = 3;
const latenciesMs = Array.from({ length: 10 }, (_, at) => 2 * (at + 1));

const sidecars = await Promise.all(Array.from({ length: count }, () => new FakeSidecar().start()));
process.stdout.write(`${JSON.stringify(sidecars.map(({ path }) => path))}\n`);

const timer = setInterval(() => {
  for (const [index, sidecar] of sidecars.entries()) {
    sidecar.received.length = 0;
    sidecar.configs.length = 0;
    if (sidecar.revision === null) continue;
    const edges = Array.from({ length: callsPerWorkload }, (_, call) => {
      const callee = `s${(index + call + 1) % count}`;
      return httpEdge({ peerService: `${callee}.shop`, peerWorkload: `id-${callee}` }, latenciesMs);
    });
    sidecar.report(toReport(edges));
  }
}, 1_000);

process.stdin.resume().on('end', () => {
  clearInterval(timer);
  void Promise.all(sidecars.map((sidecar) => sidecar.close())).then(() => process.exit(0));
});

import { isMostlyDisturbed } from './history.ts';
import type { BenchResult } from './result.ts';

/** A figure to reach, taken from the rows of one run; ratios of medians, 1 KB answers. */
interface Target {
  readonly what: string;
  readonly least?: number;
  readonly most?: number;
  readonly figure: (find: Find) => number | undefined;
}

type Wanted = Partial<Pick<BenchResult, 'connections' | 'ratePerSecond' | 'sizeBytes'>>;
type Find = (caseName: string, program: string, wanted?: Wanted) => BenchResult | undefined;

const rateRatio = (caseName: string, peers: readonly string[], connections: number) => (find: Find) => {
  const rate = (program: string) => find(caseName, program, { connections })?.requestsPerSecond;
  const best = Math.max(...peers.map((peer) => rate(peer) ?? Number.NaN).filter((value) => !Number.isNaN(value)));
  const own = rate('meshdesk');
  return own === undefined || !Number.isFinite(best) ? undefined : own / best;
};

const envoys = ['envoy', 'envoy-h2'];
const ratio = (
  what: string,
  caseName: string,
  peers: readonly string[],
  connections: number,
  least: number,
): Target => ({
  what: `${what}, ${connections} connection${connections === 1 ? '' : 's'}`,
  least,
  figure: rateRatio(caseName, peers, connections),
});
const added = (ratePerSecond: number, name: 'addedP50ToNginx' | 'addedP99ToNginx', most: number): Target => ({
  what: `latency a pair adds at ${ratePerSecond}/s, ${name === 'addedP50ToNginx' ? 'p50' : 'p99'} to what an nginx pair adds`,
  most,
  figure: (find) => find('constant-rate', 'meshdesk', { ratePerSecond })?.[name],
});

const targets: readonly Target[] = [
  ...[32, 8].map((connections) => ratio('plain hop to nginx', 'plain-hop', ['nginx'], connections, 1)),
  ratio('plain hop to nginx', 'plain-hop', ['nginx'], 1, 0.95),
  ...[32, 8].map((connections) => ratio('plain hop to Envoy', 'plain-hop', ['envoy'], connections, 2)),
  ratio('plain hop to Envoy', 'plain-hop', ['envoy'], 1, 1.5),
  ratio('mTLS pair to nginx', 'mtls-pair', ['nginx'], 32, 1.5),
  ratio('mTLS pair to nginx', 'mtls-pair', ['nginx'], 8, 1.1),
  ratio('mTLS pair to nginx', 'mtls-pair', ['nginx'], 1, 0.9),
  ratio('mTLS pair to HAProxy with HTTP/2 between', 'mtls-pair', ['haproxy-h2'], 32, 1),
  ...[32, 8].map((connections) => ratio("mTLS pair to the better of Envoy's", 'mtls-pair', envoys, connections, 2)),
  ratio("mTLS pair to the better of Envoy's", 'mtls-pair', envoys, 1, 1.6),
  ratio('TCP splice to HAProxy', 'tcp-splice', ['haproxy'], 32, 0.9),
  ratio('gRPC pair to Envoy', 'grpc-pair', ['envoy-h2'], 32, 1),
  added(1_000, 'addedP50ToNginx', 0.5),
  added(1_000, 'addedP99ToNginx', 0.8),
  added(5_000, 'addedP50ToNginx', 0.5),
  added(5_000, 'addedP99ToNginx', 0.8),
  {
    what: 'ms from an edit of a route to the ACK of the last of 6 sidecars',
    most: 100,
    figure: (find) => find('push-route', '3-services-6-sidecars')?.medianMs,
  },
  {
    what: 'ms from an edit of a route to the ACK of the last of 2,000 sidecars',
    most: 2_000,
    figure: (find) => find('push-route', '1000-services-2000-sidecars')?.medianMs,
  },
  {
    what: 'cores for one sidecar at 1,000/s',
    most: 0.06,
    figure: (find) => {
      const percent = find('constant-rate', 'meshdesk', { ratePerSecond: 1_000 })?.cpuPercent;
      return percent === undefined ? undefined : percent / 100;
    },
  },
  {
    what: 'MB of one sidecar at 1,000/s',
    most: 60,
    figure: (find) => {
      const rssMb = find('constant-rate', 'meshdesk', { ratePerSecond: 1_000 })?.rssMb;
      return rssMb === undefined ? undefined : rssMb / 2;
    },
  },
  {
    what: 'MB with 10,000 idle connections',
    most: 150,
    figure: (find) => find('idle-connections', 'meshdesk', { connections: 10_000 })?.rssMb,
  },
  {
    what: 'rate with telemetry to without',
    least: 0.95,
    figure: (find) => {
      const without = find('features', 'telemetry-off')?.ratioToPlain;
      return without === undefined ? undefined : 1 / without;
    },
  },
];

export interface Verdict {
  readonly what: string;
  readonly target: string;
  readonly figure: number;
  readonly met: boolean;
  /**
   * True when most rounds behind the figure were disturbed: it then says more about the machine than about the program, and the
   * CPU time per request (`cpuRatioToNginx` of the rows) is the better guide.
   */
  readonly uncertain: boolean;
}

/** One line for each target that this run measured. */
export function judge(results: readonly BenchResult[]): Verdict[] {
  let used: BenchResult[] = [];
  const find: Find = (caseName, program, wanted = {}) => {
    const found = results.find(
      (row) =>
        row.case === caseName &&
        row.program === program &&
        (row.sizeBytes ?? 1_024) === (wanted.sizeBytes ?? 1_024) &&
        (wanted.connections === undefined || row.connections === wanted.connections) &&
        (wanted.ratePerSecond === undefined || row.ratePerSecond === wanted.ratePerSecond),
    );
    if (found !== undefined) used.push(found);
    return found;
  };
  return targets.flatMap(({ what, least, most, figure }) => {
    used = [];
    const value = figure(find);
    if (value === undefined || Number.isNaN(value)) return [];
    const met = (least === undefined || value >= least) && (most === undefined || value <= most);
    const target = least === undefined ? `<= ${most}` : `>= ${least}`;
    const uncertain = used.some(isMostlyDisturbed);
    return [{ what, target, figure: Math.round(value * 1_000) / 1_000, met, uncertain }];
  });
}

import type { FaultInjection } from './fault-injection.ts';

type Spec = FaultInjection['spec'];
type Fault = Spec['fault'];
type HeaderChange = NonNullable<NonNullable<Fault['headers']>['request']>;

export interface FaultText {
  /** `delay`, `abort`, `bandwidth`, `headers`, `body`, `truncate`, `tcp latency`, `dns nxdomain`, `workload pause` ... */
  readonly kind: string;
  /** How much of it: `400 ms`, `503`, `UNAVAILABLE`, `64 KiB/s`; '' where there is nothing to say. */
  readonly strength: string;
}

/** A fault in a few words, for lists and badges. */
export function describeFault({ fault }: Pick<Spec, 'fault'>): FaultText {
  const { delay, abort, responseBandwidth, headers, body, truncate } = fault;
  if (delay !== undefined) return { kind: 'delay', strength: delayText(delay) };
  if (abort !== undefined) return { kind: 'abort', strength: abort.grpcStatus ?? String(abort.httpStatus) };
  if (responseBandwidth !== undefined)
    return { kind: 'bandwidth', strength: `${responseBandwidth.kibPerSecond} KiB/s` };
  if (headers !== undefined) {
    const parts = [headersText('request', headers.request), headersText('response', headers.response)];
    return { kind: 'headers', strength: parts.filter((text) => text !== '').join('; ') };
  }
  if (body !== undefined) {
    const strength =
      body.replace === undefined
        ? `another one, ${body.set?.length ?? 0} characters`
        : `${body.replace.length} replaced`;
    return { kind: 'body', strength };
  }
  if (truncate !== undefined) return { kind: 'truncate', strength: `after ${truncate.afterBytes} bytes` };
  return describeBelowHttp(fault);
}

/** Share of requests or connections; those without one are for all. */
export function percentOf({ fault }: Pick<Spec, 'fault'>): number {
  const [kind] = Object.values(fault);
  if (kind === undefined) return 100;
  if ('percentage' in kind) return kind.percentage.value;
  const [inner] = Object.values(kind) as ({ readonly percentage?: { readonly value: number } } | undefined)[];
  return inner?.percentage?.value ?? 100;
}

/** When it acts, in words; '' for all the time. */
export function describeTiming({ trigger, schedule }: Pick<Spec, 'trigger' | 'schedule'>): string {
  const parts: string[] = [];
  if (trigger?.first !== undefined) parts.push(`first ${trigger.first}`);
  if (trigger?.every !== undefined) parts.push(`every ${trigger.every}th`);
  if (trigger?.retriesOnly !== undefined) parts.push('retries only');
  if (trigger?.window !== undefined) parts.push(`from ${trigger.window.from} to ${trigger.window.until}`);
  if (schedule !== undefined) {
    const after = schedule.startAfter === undefined ? '' : ` after ${schedule.startAfter}`;
    parts.push(`${schedule.on} on, ${schedule.off} off${after}`);
  }
  return parts.join(', ');
}

/** `400ms` as `400 ms`. */
const spaced = (duration: string): string => duration.replace(/^([\d.]+)([a-zµ]+)$/, '$1 $2');

function delayText(delay: NonNullable<Fault['delay']>): string {
  const { fixedDelay, uniformDelay, normalDelay, percentileDelay } = delay;
  if (fixedDelay !== undefined) return spaced(fixedDelay);
  if (uniformDelay !== undefined) return `${spaced(uniformDelay.min)} to ${spaced(uniformDelay.max)}`;
  if (normalDelay !== undefined) return `${spaced(normalDelay.mean)} ± ${spaced(normalDelay.deviation)}`;
  return Object.entries(percentileDelay ?? {})
    .map(([name, value]) => `${name} ${spaced(value ?? '')}`)
    .join(', ');
}

function headersText(side: string, change: HeaderChange | undefined): string {
  const names = [
    ...(change?.remove ?? []).map((name) => `-${name}`),
    ...Object.keys({ ...change?.set, ...change?.add }).map((name) => `+${name}`),
  ];
  return names.length === 0 ? '' : `${side} ${names.join(' ')}`;
}

function describeBelowHttp({ tcp, dns, workload, identity }: Fault): FaultText {
  if (tcp !== undefined) return toxicText(tcp);
  if (dns !== undefined) {
    const [kind = ''] = Object.keys(dns);
    return { kind: `dns ${kind}`, strength: dns.delay === undefined ? '' : spaced(dns.delay.fixedDelay) };
  }
  if (workload !== undefined) return { kind: `workload ${Object.keys(workload)[0] ?? ''}`, strength: '' };
  const words: Readonly<Record<string, string>> = {
    expiredCertificate: 'expired certificate',
    wrongSan: 'wrong SAN',
    unknownCa: 'unknown CA',
  };
  const [kind = ''] = Object.keys(identity ?? {});
  return { kind: `identity ${words[kind] ?? kind}`, strength: identity?.wrongSan?.spiffeId ?? '' };
}

function toxicText(tcp: NonNullable<Fault['tcp']>): FaultText {
  const { latency, bandwidth, slowClose, timeout, resetPeer, slicer, limitData } = tcp;
  if (latency !== undefined) {
    const jitter = latency.jitter === undefined ? '' : ` ± ${spaced(latency.jitter)}`;
    return { kind: 'tcp latency', strength: `${spaced(latency.latency)}${jitter}` };
  }
  if (bandwidth !== undefined) return { kind: 'tcp bandwidth', strength: `${bandwidth.kbPerSecond} KB/s` };
  if (slowClose !== undefined) return { kind: 'tcp slow close', strength: spaced(slowClose.delay) };
  if (timeout !== undefined) return { kind: 'tcp timeout', strength: spaced(timeout.timeout) };
  if (resetPeer !== undefined) return { kind: 'tcp reset', strength: spaced(resetPeer.timeout ?? '0s') };
  if (slicer !== undefined) return { kind: 'tcp slicer', strength: `${slicer.averageBytes} bytes` };
  if (limitData !== undefined) return { kind: 'tcp limit data', strength: `${limitData.bytes} bytes` };
  return { kind: 'tcp refuse', strength: '' };
}

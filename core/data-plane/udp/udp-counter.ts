/**
 * UDP passes the sidecar untouched, but for questions to DNS servers (dns/): no other datagram is ever read here. It is counted all
 * the same, from the kernel's own figures of the namespace, which need no privilege (RFC 4113: UdpInDatagrams,
 * UdpOutDatagrams). They know packets, not bytes and not peers.
 */
import { readFile } from 'node:fs/promises';
import type { ListenerConfig } from '../../model/sidecar-config.ts';
import type { UdpFigures } from '../../model/telemetry-report.ts';

/** Datagrams since the namespace began. `snmp` and `snmp6` are the contents of those files of /proc/net; `null`: not there. */
export function parseUdpCounters(snmp: string, snmp6: string): UdpFigures | null {
  const [names, values] = snmp.split('\n').filter((line) => line.startsWith('Udp: '));
  if (names === undefined || values === undefined) return null;
  const columns = names.split(/\s+/);
  const numbers = values.split(/\s+/);
  const v4 = (name: string) => Number(numbers[columns.indexOf(name)] ?? 0);
  const v6 = (name: string) => Number(new RegExp(`^Udp6${name}\\s+(\\d+)`, 'm').exec(snmp6)?.[1] ?? 0);
  return {
    packetsSent: v4('OutDatagrams') + v6('OutDatagrams'),
    packetsReceived: v4('InDatagrams') + v6('InDatagrams'),
  };
}

/** Differences between one report and the next; the files are read in the background, so that no report waits. */
export class UdpCounter {
  readonly #listeners: () => ListenerConfig | null;
  #reported: UdpFigures | null = null;
  #latest: UdpFigures | null = null;
  #isReading = false;

  constructor(listeners: () => ListenerConfig | null) {
    this.#listeners = listeners;
  }

  /** Where traffic is redirected the namespace is one workload's; host processes share theirs, so there is no telling. */
  refresh(): void {
    if (this.#isReading || this.#listeners()?.kind !== 'transparent') return;
    this.#isReading = true;
    const read = (name: string) => readFile(`/proc/self/net/${name}`, 'latin1').catch(() => '');
    void Promise.all([read('snmp'), read('snmp6')]).then(([snmp, snmp6]) => {
      this.#latest = parseUdpCounters(snmp, snmp6);
      this.#reported ??= this.#latest;
      this.#isReading = false;
    });
  }

  /** Since the last call; `null`: not known. */
  take(): UdpFigures | null {
    const [before, now] = [this.#reported, this.#latest];
    if (before === null || now === null) return null;
    this.#reported = now;
    return {
      packetsSent: Math.max(0, now.packetsSent - before.packetsSent),
      packetsReceived: Math.max(0, now.packetsReceived - before.packetsReceived),
    };
  }
}

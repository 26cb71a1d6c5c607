import { randomInt } from 'node:crypto';
import type { Clock } from '../../shared/clock.ts';
import type { TelemetrySink, UpstreamConnector } from '../connection.ts';
import type { DnsAction, Injection } from '../faults/injection-set.ts';
import type { CompiledConfig } from '../http/compiled-config.ts';
import type { Logger } from '../logger.ts';
import { type DnsFault, DnsServer } from './dns-server.ts';
import { responseCode } from './message.ts';
import { compileNames, type NameTable } from './name-table.ts';

export interface DnsParts {
  readonly config: () => CompiledConfig;
  readonly connector: UpstreamConnector;
  readonly telemetry: Pick<TelemetrySink, 'faultSeen'>;
  readonly clock: Clock;
  /** False: the lease has lapsed, no fault hits. */
  readonly faultsAllowed: () => boolean;
  readonly logger: Logger;
}

const randomRange = 2 ** 47;

/** A DNS server for the configuration in force; names are made into a table when the first question after a change comes. */
export function createDnsServer(parts: DnsParts): DnsServer {
  const { config, connector, telemetry, clock, faultsAllowed, logger } = parts;
  let table: { readonly of: CompiledConfig; readonly names: NameTable } | null = null;
  const names = () => {
    const current = config();
    if (table?.of !== current) table = { of: current, names: compileNames(current.source.services) };
    return table.names;
  };
  const fault = (name: string) => {
    const service = config().serviceByHost(name, 0);
    if (service === null || !faultsAllowed()) return null;
    const { dns } = config().injections.of(service.config.key);
    return dns.length === 0 ? null : decideFault(dns, clock.nowMs(), telemetry);
  };
  const random = () => randomInt(randomRange) / randomRange;
  const monotonicMs = () => clock.monotonicMs();
  return new DnsServer({ names, fault, connector, monotonicMs, random, logger });
}

/** Delays add up; of the codes the first counts. */
function decideFault(
  injections: readonly Injection<DnsAction>[],
  nowMs: number,
  telemetry: DnsParts['telemetry'],
): DnsFault | null {
  let delayMs = 0;
  let code: number | null = null;
  for (const injection of injections) {
    const hit = injection.decide(nowMs, 0);
    telemetry.faultSeen(injection.config.id, hit);
    if (!hit) continue;
    const { action } = injection;
    if (action.kind === 'dns-delay') delayMs += action.delayMs;
    else code ??= action.kind === 'dns-nxdomain' ? responseCode.nameError : responseCode.serverFailure;
  }
  return delayMs === 0 && code === null ? null : { delayMs, code };
}

/** FaultInjections that are switched on, and the gRPC aborts of VirtualServices, as a sidecar is told. */
import { parseDuration } from '../../model/duration.ts';
import { type FaultInjection, isHttpFault, seedOf, toServiceKeyIn } from '../../model/fault-injection.ts';
import { grpcStatusCode } from '../../model/grpc-status.ts';
import type { DelayDistribution, InjectionAction, InjectionTrigger } from '../../model/injection-config.ts';
import type { MeshSettings } from '../../model/mesh-settings.ts';
import { namespaceOf } from '../../model/resource.ts';
import type { HeaderOperations } from '../../model/traffic-config.ts';
import { toHttpMatch } from '../routes/virtual-services.ts';
import type { ActiveInjection, CompiledInjection } from '../snapshot.ts';

const ms = (text: string | undefined): number => parseDuration(text ?? '0s') ?? 0;

/**
 * `null` for faults that the control plane makes itself (workload: pause, kill, restart). Setting `faultOrder: istio`: before
 * retries, as Envoy's fault filter; otherwise inside every try.
 */
export function compileInjection(
  { resource, sinceMs, expiresAtMs }: ActiveInjection,
  { faultOrder }: Pick<MeshSettings['spec'], 'faultOrder'> = {},
): CompiledInjection | null {
  const { spec, metadata } = resource;
  const compiled = toAction(spec.fault);
  if (compiled === null) return null;
  const namespace = namespaceOf(resource);
  const { schedule } = spec;
  return {
    from: spec.from === undefined ? null : toServiceKeyIn(spec.from, namespace),
    config: {
      id: metadata.name,
      service: toServiceKeyIn(spec.to, namespace),
      port: spec.port ?? null,
      route: spec.route ?? null,
      match: (spec.match ?? []).map(toHttpMatch),
      action: compiled.action,
      percent: compiled.percent,
      trigger: toTrigger(spec.trigger),
      schedule:
        schedule === undefined
          ? null
          : { startAfterMs: ms(schedule.startAfter), onMs: ms(schedule.on), offMs: ms(schedule.off) },
      seed: spec.seed ?? seedOf(metadata.name),
      sinceMs,
      expiresAtMs,
      ...(faultOrder === 'istio' && isHttpFault(spec.fault) ? { layer: 'request' } : {}),
    },
  };
}

function toTrigger(trigger: FaultInjection['spec']['trigger']): InjectionTrigger {
  if (trigger?.first !== undefined) return { kind: 'first', count: trigger.first };
  if (trigger?.every !== undefined) return { kind: 'every', count: trigger.every };
  if (trigger?.retriesOnly !== undefined) return { kind: 'retries' };
  const { window } = trigger ?? {};
  return window === undefined
    ? { kind: 'always' }
    : { kind: 'window', fromMs: ms(window.from), untilMs: ms(window.until) };
}

type Fault = FaultInjection['spec']['fault'];
interface ActionAndShare {
  readonly action: InjectionAction;
  readonly percent: number;
}

function toAction(fault: Fault): ActionAndShare | null {
  const { delay, abort, responseBandwidth, headers, body, truncate } = fault;
  if (delay !== undefined) return { action: { kind: 'delay', delay: toDelay(delay) }, percent: delay.percentage.value };
  if (abort !== undefined) return { action: toAbort(abort), percent: abort.percentage.value };
  if (responseBandwidth !== undefined) {
    return {
      action: { kind: 'response-bandwidth', bytesPerSecond: responseBandwidth.kibPerSecond * 1_024 },
      percent: responseBandwidth.percentage.value,
    };
  }
  if (headers !== undefined) {
    return {
      action: { kind: 'headers', request: toOperations(headers.request), response: toOperations(headers.response) },
      percent: headers.percentage.value,
    };
  }
  if (body !== undefined)
    return {
      action: { kind: 'body', set: body.set ?? null, replace: body.replace ?? [] },
      percent: body.percentage.value,
    };
  if (truncate !== undefined)
    return { action: { kind: 'truncate', afterBytes: truncate.afterBytes }, percent: truncate.percentage.value };
  return toConnectionAction(fault);
}

function toDelay(delay: NonNullable<Fault['delay']>): DelayDistribution {
  const { uniformDelay, normalDelay, percentileDelay } = delay;
  if (uniformDelay !== undefined) return { kind: 'uniform', minMs: ms(uniformDelay.min), maxMs: ms(uniformDelay.max) };
  if (normalDelay !== undefined)
    return { kind: 'normal', meanMs: ms(normalDelay.mean), deviationMs: ms(normalDelay.deviation) };
  if (percentileDelay === undefined) return { kind: 'fixed', ms: ms(delay.fixedDelay) };
  const points = Object.entries(percentileDelay).map(([name, value]) => ({
    percentile: Number(name.slice(1)),
    ms: ms(value),
  }));
  return { kind: 'percentiles', points: points.sort((a, b) => a.percentile - b.percentile) };
}

function toAbort(abort: NonNullable<Fault['abort']>): InjectionAction {
  const grpcStatus = abort.grpcStatus === undefined ? null : grpcStatusCode(abort.grpcStatus);
  return {
    kind: 'abort',
    httpStatus: abort.httpStatus ?? 200,
    grpcStatus,
    headers: abort.headers ?? {},
    body: abort.body ?? '',
  };
}

function toOperations(
  change:
    | {
        set?: Record<string, string> | undefined;
        add?: Record<string, string> | undefined;
        remove?: string[] | undefined;
      }
    | undefined,
): HeaderOperations | null {
  if (change === undefined) return null;
  const pairs = (values: Readonly<Record<string, string>> = {}) =>
    Object.entries(values).map(([name, value]): [string, string] => [name.toLowerCase(), value]);
  return {
    remove: (change.remove ?? []).map((name) => name.toLowerCase()),
    set: pairs(change.set),
    add: pairs(change.add),
  };
}

/** Toxics and what is not traffic of requests. Percentage absent: all. */
function toConnectionAction({ tcp, dns, identity }: Fault): ActionAndShare | null {
  if (tcp !== undefined) return toToxic(tcp);
  if (dns?.nxdomain !== undefined)
    return { action: { kind: 'dns-nxdomain' }, percent: dns.nxdomain.percentage?.value ?? 100 };
  if (dns?.servfail !== undefined)
    return { action: { kind: 'dns-servfail' }, percent: dns.servfail.percentage?.value ?? 100 };
  if (dns?.delay !== undefined)
    return {
      action: { kind: 'dns-delay', delayMs: ms(dns.delay.fixedDelay) },
      percent: dns.delay.percentage?.value ?? 100,
    };
  if (identity?.expiredCertificate !== undefined) return { action: { kind: 'identity-expired' }, percent: 100 };
  if (identity?.unknownCa !== undefined) return { action: { kind: 'identity-unknown-ca' }, percent: 100 };
  if (identity?.wrongSan === undefined) return null;
  return {
    action: {
      kind: 'identity-wrong-san',
      spiffeId: identity.wrongSan.spiffeId ?? 'spiffe://wrong.example/ns/none/sa/none',
    },
    percent: 100,
  };
}

function toToxic(tcp: NonNullable<Fault['tcp']>): ActionAndShare | null {
  const [only] = Object.values(tcp);
  const percent = only?.percentage?.value ?? 100;
  const stream = only !== undefined && 'stream' in only ? (only.stream ?? 'downstream') : 'downstream';
  const made = (action: InjectionAction): ActionAndShare => ({ action, percent });
  const { latency, bandwidth, slowClose, timeout, resetPeer, slicer, limitData } = tcp;
  if (latency !== undefined)
    return made({ kind: 'tcp-latency', stream, latencyMs: ms(latency.latency), jitterMs: ms(latency.jitter) });
  // toxiproxy's KB is 1000 bytes.
  if (bandwidth !== undefined)
    return made({ kind: 'tcp-bandwidth', stream, bytesPerSecond: bandwidth.kbPerSecond * 1_000 });
  if (slowClose !== undefined) return made({ kind: 'tcp-slow-close', stream, delayMs: ms(slowClose.delay) });
  if (timeout !== undefined) return made({ kind: 'tcp-timeout', stream, timeoutMs: ms(timeout.timeout) });
  if (resetPeer !== undefined) return made({ kind: 'tcp-reset', stream, afterMs: ms(resetPeer.timeout) });
  if (slicer !== undefined) {
    return made({
      kind: 'tcp-slicer',
      stream,
      averageBytes: slicer.averageBytes,
      variationBytes: slicer.variationBytes ?? 0,
      delayMs: ms(slicer.delay),
    });
  }
  if (limitData !== undefined) return made({ kind: 'tcp-limit-data', stream, bytes: limitData.bytes });
  return tcp.refuse === undefined ? null : made({ kind: 'tcp-refuse' });
}

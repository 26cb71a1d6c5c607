import type { ExportFinding } from '../../contract/shapes.ts';
import { formatDuration } from '../../model/duration.ts';
import type { HttpFault } from '../../model/http-actions.ts';
import type { HttpMatchRequest, HttpRule } from '../../model/virtual-service.ts';
import type { ActiveFault, SnapshotService } from '../../snapshot/snapshot.ts';
import { kubernetesName } from './names.ts';

type Report = (kind: ExportFinding['kind'], what: string, reason: string) => void;

/**
 * Puts active faults into the rules of their service. A fault for every caller goes into the rule itself; one for a
 * single caller gets a copy of the rule before it, which only that caller's sidecars see (`sourceLabels`).
 */
export function withFaults(
  rules: readonly HttpRule[],
  faults: readonly ActiveFault[],
  services: ReadonlyMap<string, SnapshotService>,
  report: Report,
): readonly HttpRule[] {
  for (const fault of faults) reportFault(fault, rules, report);
  return rules.flatMap((rule, index) => {
    const name = rule.name ?? `route-${index + 1}`;
    const here = faults.filter((fault) => fault.route === null || fault.route === name);
    const everyone = here.filter((fault) => fault.from === null);
    const callers = [...new Set(here.flatMap((fault) => fault.from ?? []))];
    return [
      ...callers.map((from) => {
        const own = here.filter((fault) => fault.from === from);
        return {
          ...rule,
          name: `${name}-from-${from.replaceAll('.', '-')}`,
          match: fromCaller(rule.match, from, services),
          ...faultOf(rule, [...own, ...everyone], report),
        };
      }),
      { ...rule, name, ...faultOf(rule, everyone, callers.length > 0 ? () => undefined : report) },
    ];
  });
}

/** The conditions of a rule, for one caller only. */
function fromCaller(
  match: readonly HttpMatchRequest[] | undefined,
  from: string,
  services: ReadonlyMap<string, SnapshotService>,
): HttpMatchRequest[] {
  const dot = from.indexOf('.');
  const { name, namespace } = kubernetesName(
    services.get(from) ?? { name: from.slice(0, dot), namespace: from.slice(dot + 1) },
  );
  const blocks = match === undefined || match.length === 0 ? [{}] : match;
  return blocks.map((block) => ({
    ...block,
    sourceNamespace: namespace,
    sourceLabels: { ...block.sourceLabels, app: name },
  }));
}

/** Istio has room for one delay and one abort per rule: the rule's own first, then by id. */
function faultOf(rule: HttpRule, faults: readonly ActiveFault[], report: Report): { fault?: HttpFault } {
  let fault: HttpFault | undefined = rule.fault;
  for (const { id, action, percent } of faults) {
    if (fault?.[action.kind] !== undefined) {
      const reason = `an Istio rule holds one ${action.kind}; rule "${rule.name ?? ''}" has one already`;
      report('dropped', `fault ${id}`, reason);
      continue;
    }
    const percentage = { value: percent };
    fault =
      action.kind === 'delay'
        ? { ...fault, delay: { percentage, fixedDelay: formatDuration(action.delayMs) } }
        : { ...fault, abort: { percentage, httpStatus: action.httpStatus } };
  }
  return fault === undefined ? {} : { fault };
}

function reportFault(fault: ActiveFault, rules: readonly HttpRule[], report: Report): void {
  const { action, percent, route } = fault;
  const text = action.kind === 'delay' ? `delay ${formatDuration(action.delayMs)}` : `abort ${action.httpStatus}`;
  const what = `fault ${fault.id}: ${text} for ${percent} % of ${fault.from ?? 'every caller'} -> ${fault.to}`;
  if (route !== null && !rules.some((rule, index) => (rule.name ?? `route-${index + 1}`) === route)) {
    report('dropped', what, `the service has no route "${route}"`);
    return;
  }
  if (fault.expiresAtMs !== null) {
    report('approximated', what, 'Istio faults do not expire: take it out of the VirtualService yourself');
  }
  report(
    'approximated',
    what,
    'Istio applies a fault once, before retries and timeouts; here it acts inside every try, unless faultOrder says istio',
  );
}

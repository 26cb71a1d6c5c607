/**
 * Between what the split view edits (weights, header pins) and the two resources that say it: a VirtualService with one
 * rule per pin and the weighted rule `split` last, and a DestinationRule with a subset per version. In the view a
 * subset is named by its version; in the resources by a DNS label, as Istio wants it.
 */
import type { DestinationRule, Subset } from '../model/destination-rule.ts';
import type { MeshResources } from '../model/resource.ts';
import { namespaceOf } from '../model/resource.ts';
import { toResourceName } from '../model/resource-metadata.ts';
import type { HttpRouteDestination, HttpRule, VirtualService } from '../model/virtual-service.ts';
import { toServiceKey } from '../model/workload.ts';
import { describeMatch } from '../policy/match-conditions.ts';
import { hostFit, toFqdn } from './host-names.ts';
import { toHttpMatch, virtualServicesOf } from './routes/virtual-services.ts';
import { normaliseWeights } from './routes/weights.ts';
import type { SnapshotService } from './snapshot.ts';

const splitRuleName = 'split';

interface SplitWeight {
  /** Version. */
  readonly subset: string;
  /** Percent, 0 to 100. */
  readonly weight: number;
}

interface SplitPin {
  /** Header, any case; requests whose header has exactly `value` go to `subset` (version). */
  readonly name: string;
  readonly value: string;
  readonly subset: string;
}

export interface Split {
  readonly service: string;
  readonly namespace: string;
  /** Versions that the service has; each becomes a subset. Those that weights and pins name are added. */
  readonly versions: readonly string[];
  readonly weights: readonly SplitWeight[];
  readonly pins: readonly SplitPin[];
}

export interface SplitResources {
  readonly virtualService: VirtualService;
  readonly destinationRule: DestinationRule;
}

export interface ExistingSplit {
  readonly virtualService: VirtualService | null;
  readonly destinationRule: DestinationRule | null;
}

/**
 * Resources of a split. Weights are brought to a sum of 100 (`normaliseWeights`). What `existing` has besides is kept:
 * its names, other rules (before the weighted one), the timeout and fault of `split`, traffic policies, other subsets.
 * A VirtualService for several hosts is left alone; the split becomes one of its own.
 */
export function toSplitResources(split: Split, existing?: ExistingSplit): SplitResources {
  const { service, namespace } = split;
  const oldService = ownService(existing?.virtualService ?? null);
  const oldRule = existing?.destinationRule ?? null;
  const wanted = [...split.versions, ...split.weights.map((w) => w.subset), ...split.pins.map((pin) => pin.subset)];
  const subsets = mergeSubsets(oldRule?.spec.subsets ?? [], [...new Set(wanted)]);
  const host = service.includes('.') ? toFqdn({ name: service, namespace }) : service;
  const metadata = { name: toResourceName(service), namespace };
  const destination = (version: string, weight: number | null): HttpRouteDestination => ({
    destination: { host, subset: subsetOf(subsets, version) },
    ...(weight === null ? {} : { weight }),
  });
  const pins = split.pins.map(
    (pin, index): HttpRule => ({
      name: `pin-${pin.name.toLowerCase()}-${index + 1}`,
      match: [{ headers: { [pin.name.toLowerCase()]: { exact: pin.value } } }],
      route: [destination(pin.subset, null)],
    }),
  );
  const old = oldService?.spec.http ?? [];
  const weighted: HttpRule = {
    ...weightedRule(old),
    name: splitRuleName,
    route: normaliseWeights(split.weights).map(({ subset, weight }) => destination(subset, weight)),
  };
  const others = old.filter((rule) => !isSplitRule(rule) && !isCatchAll(rule));
  return {
    virtualService: {
      ...(oldService ?? { apiVersion: 'networking.istio.io/v1', kind: 'VirtualService', metadata }),
      spec: { ...(oldService?.spec ?? { hosts: [host] }), http: [...pins, ...others, weighted] },
    },
    destinationRule: {
      ...(oldRule ?? { apiVersion: 'networking.istio.io/v1', kind: 'DestinationRule', metadata }),
      spec: { ...(oldRule?.spec ?? { host }), subsets },
    },
  };
}

/** The VirtualService when it is for one service only, so that it may be edited. */
function ownService(virtualService: VirtualService | null): VirtualService | null {
  const [host, ...others] = virtualService?.spec.hosts ?? [];
  return host === undefined || host.startsWith('*') || others.length > 0 ? null : virtualService;
}

/** What is left of the resources when the split is taken away; `null`: remove the resource. */
export function withoutSplit(existing: ExistingSplit): ExistingSplit {
  const { virtualService, destinationRule } = existing;
  if (ownService(virtualService) !== virtualService) return existing;
  const old = virtualService?.spec.http ?? [];
  const { name: _name, route, ...settings } = weightedRule(old);
  const host = route?.[0]?.destination.host;
  const rest: HttpRule[] = old.filter((rule) => !isSplitRule(rule) && !isCatchAll(rule));
  if (host !== undefined && (Object.keys(settings).length > 0 || rest.length > 0)) {
    rest.push({ ...settings, name: 'default', route: [{ destination: { host } }] });
  }
  const keepsService = virtualService !== null && rest.length > 0;
  const keepsRule = keepsService || destinationRule?.spec.trafficPolicy !== undefined;
  return {
    virtualService: keepsService ? { ...virtualService, spec: { ...virtualService.spec, http: rest } } : null,
    destinationRule: keepsRule ? destinationRule : null,
  };
}

/** The rule that decides for requests without a pin: the one named `split`, else the first that matches everything. */
function weightedRule(rules: readonly HttpRule[]): HttpRule {
  return (
    rules.find((rule) => rule.name === splitRuleName) ??
    rules.find((rule) => isCatchAll(rule) && rule.route !== undefined) ??
    {}
  );
}

export interface ReadSplit extends ExistingSplit {
  readonly weights: readonly SplitWeight[];
  readonly pins: readonly SplitPin[];
  /** All rules in order, with their conditions in words and the share of each destination. */
  readonly routes: readonly {
    readonly name: string;
    readonly match: string;
    readonly destinations: readonly { readonly subset: string | null; readonly percent: number }[];
  }[];
}

/** Reads the split that is in force for a service from whatever resources say it; empty lists without one. */
export function readSplit(
  resources: Pick<MeshResources, 'virtualServices' | 'destinationRules'>,
  service: { readonly service: string; readonly namespace: string },
): ReadSplit {
  const known = toKnownService(service);
  const services = new Map([[known.key, known]]);
  const virtualService = virtualServicesOf(resources.virtualServices, known, services)[0]?.resource ?? null;
  const destinationRule =
    resources.destinationRules.find(
      (rule) =>
        namespaceOf(rule) === known.namespace &&
        hostFit(rule.spec.host, known.namespace, known, services) === Number.MAX_SAFE_INTEGER,
    ) ?? null;
  const subsets = destinationRule?.spec.subsets ?? [];
  const rules = virtualService?.spec.http ?? [];
  const weighted = rules.find((rule) => isCatchAll(rule) && rule.route?.every((entry) => entry.destination.subset));
  return {
    virtualService,
    destinationRule,
    weights: normaliseWeights(
      (weighted?.route ?? []).map((entry, _index, all) => ({
        subset: versionOf(subsets, entry.destination.subset ?? ''),
        weight: all.length === 1 ? 100 : (entry.weight ?? 0),
      })),
    ),
    pins: rules.flatMap((rule) => readPin(rule, subsets)),
    routes: rules.map((rule, index) => toRouteText(rule, index, subsets)),
  };
}

function toKnownService({ service, namespace }: { service: string; namespace: string }): SnapshotService {
  const key = toServiceKey(service, namespace);
  return { key, name: service, namespace, workloads: [], versions: [], ports: [] };
}

function isSplitRule(rule: HttpRule): boolean {
  return rule.name === splitRuleName || readPin(rule, []).length > 0;
}

function isCatchAll(rule: HttpRule): boolean {
  return rule.match === undefined || rule.match.length === 0;
}

/** A rule is a pin when it asks for exactly one header value and sends everything to one subset. */
function readPin(rule: HttpRule, subsets: readonly Subset[]): SplitPin[] {
  const [match, ...otherMatches] = rule.match ?? [];
  const [entry, ...otherEntries] = rule.route ?? [];
  const subset = entry?.destination.subset;
  if (match === undefined || otherMatches.length > 0 || otherEntries.length > 0 || subset === undefined) return [];
  const conditions = Object.keys(match).filter((key) => key !== 'name');
  const [[name, value] = [], ...otherHeaders] = Object.entries(match.headers ?? {});
  if (conditions.length !== 1 || otherHeaders.length > 0 || name === undefined) return [];
  if (value === undefined || !('exact' in value) || rule.fault !== undefined || rule.timeout !== undefined) return [];
  return [{ name: name.toLowerCase(), value: value.exact, subset: versionOf(subsets, subset) }];
}

function toRouteText(rule: HttpRule, index: number, subsets: readonly Subset[]): ReadSplit['routes'][number] {
  const route = rule.route ?? [];
  const total = route.reduce((sum, entry) => sum + (entry.weight ?? 0), 0);
  return {
    name: rule.name ?? `route-${index + 1}`,
    match: describeMatch((rule.match ?? []).map(toHttpMatch)),
    destinations: route.map((entry) => ({
      subset: entry.destination.subset === undefined ? null : versionOf(subsets, entry.destination.subset),
      percent: route.length === 1 ? 100 : total === 0 ? 0 : ((entry.weight ?? 0) / total) * 100,
    })),
  };
}

/** Version that a subset selects; the subset's name when it does not select by version. */
function versionOf(subsets: readonly Subset[], name: string): string {
  return subsets.find((subset) => subset.name === name)?.labels?.version ?? name;
}

function subsetOf(subsets: readonly Subset[], version: string): string {
  return subsets.find((subset) => isVersionSubset(subset, version))?.name ?? version;
}

function isVersionSubset(subset: Subset, version: string): boolean {
  const labels = Object.entries(subset.labels ?? {});
  return labels.length === 1 && subset.labels?.version === version;
}

/** Existing subsets first, then one for each version that none of them selects; names are unique DNS labels. */
export function mergeSubsets(existing: readonly Subset[], versions: readonly string[]): Subset[] {
  const subsets = [...existing];
  for (const version of versions) {
    if (subsets.some((subset) => isVersionSubset(subset, version))) continue;
    const wanted = toResourceName(version);
    let name = wanted;
    for (let number = 2; subsets.some((subset) => subset.name === name); number += 1) name = `${wanted}-${number}`;
    subsets.push({ name, labels: { version } });
  }
  return subsets;
}

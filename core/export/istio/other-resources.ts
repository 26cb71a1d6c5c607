/** What no service of the mesh owns and still goes out: rules for hosts outside or for gateways, and every other kind. */
import { Document } from 'yaml';
import type { ExportFile, ExportFinding } from '../../contract/shapes.ts';
import { describeFault } from '../../model/describe-fault.ts';
import { readFaultInjection } from '../../model/fault-injection.ts';
import { keptFields } from '../../model/kept-fields.ts';
import type { MeshSettings } from '../../model/mesh-settings.ts';
import { describeResource, type KeptResource, namespaceOf, type Resource } from '../../model/resource.ts';
import { splitWeight, type TrafficSplit } from '../../model/traffic-split.ts';
import type { VirtualService } from '../../model/virtual-service.ts';
import { toHostProcess } from '../../model/workload-entry.ts';
import { resolveHost } from '../../snapshot/host-names.ts';
import type { MeshSnapshot } from '../../snapshot/snapshot.ts';
import { exportedHost } from './names.ts';

export const keptFile = 'kept.yaml';
/** For istiod, not for `kubectl apply`. */
const meshConfigFile = 'mesh-config.yaml';

export interface OtherResources {
  /** For `keptFile`. */
  readonly resources: readonly Resource[];
  /** Files that are no manifests. */
  readonly files: readonly ExportFile[];
  readonly findings: readonly ExportFinding[];
}

export function otherResources(snapshot: MeshSnapshot): OtherResources {
  const found: Found = { resources: [], files: [], findings: [] };
  for (const rule of snapshot.resources.virtualServices) keepVirtualService(snapshot, rule, found);
  for (const rule of snapshot.resources.destinationRules) {
    const { key, known } = resolveHost(rule.spec.host, namespaceOf(rule), snapshot.services);
    if (known && snapshot.services.get(key)?.namespace === namespaceOf(rule)) continue;
    keep(found, rule, 'as it is; it is not in the namespace of a service that runs here');
  }
  for (const entry of snapshot.resources.workloadEntries) {
    if (toHostProcess(entry) === null) keep(found, entry, reasonFor(entry));
    else drop(found, entry, 'it is a process of this machine; production runs the service elsewhere');
  }
  for (const resource of snapshot.resources.kept) keepKind(snapshot, resource, found);
  reportOtherFaults(snapshot, found);
  return found;
}

interface Found {
  readonly resources: Resource[];
  readonly files: ExportFile[];
  readonly findings: ExportFinding[];
}

function keep({ resources, findings }: Found, resource: Resource, reason: string): void {
  resources.push(resource);
  findings.push({ kind: 'mapped', what: describeResource(resource), reason, file: keptFile });
}

function drop({ findings }: Found, resource: Resource, reason: string): void {
  findings.push({ kind: 'dropped', what: describeResource(resource), reason, file: null });
}

/** A kind that is only kept is one path, its spec. */
function reasonFor(resource: Resource): string {
  const whole = keptFields(resource).some((path) => path.length === 1);
  return whole ? 'as it is; not applied here' : 'as it is';
}

/** One that lost its host to another one is dropped: production allows one per host as well. */
function keepVirtualService(snapshot: MeshSnapshot, resource: VirtualService, found: Found): void {
  const { services, virtualServices } = snapshot;
  const hasManifest = [...virtualServices].some(([key, rule]) => rule === resource && services.has(key));
  if (hasManifest) return;
  const owner = (resource.spec.hosts ?? [])
    .map((host) => virtualServices.get(resolveHost(host, namespaceOf(resource), services).key))
    .find((candidate) => candidate !== undefined && candidate !== resource);
  const { gateways } = resource.spec;
  if (owner === undefined || (gateways !== undefined && !gateways.includes('mesh'))) {
    keep(found, resource, gateways === undefined ? 'as it is; no workload here serves its hosts' : 'as it is');
  } else drop(found, resource, `one VirtualService per host: ${describeResource(owner)} is used`);
}

function keepKind(snapshot: MeshSnapshot, resource: KeptResource, found: Found): void {
  if (resource.kind === 'MeshSettings') exportSettings(resource, found);
  else if (resource.kind === 'TrafficSplit') exportSplit(snapshot, resource, found);
  else keep(found, resource, reasonFor(resource));
}

/** Settings of the whole mesh are istiod's own configuration in production. */
function exportSettings(settings: MeshSettings, { files, findings }: Found): void {
  const { trustDomain, rootNamespace, outboundTrafficPolicy, localityLbSetting, defaultHttpRetryPolicy, ...others } =
    settings.spec;
  const mapped = { trustDomain, rootNamespace, outboundTrafficPolicy, localityLbSetting, defaultHttpRetryPolicy };
  const given = Object.entries(mapped).filter(([, value]) => value !== undefined);
  const what = (field: string) => `${describeResource(settings)}, ${field}`;
  for (const [field] of given) {
    const reason = `meshConfig.${field}: give the file to istioctl install -f, or to Helm`;
    findings.push({ kind: 'mapped', what: what(field), reason, file: meshConfigFile });
  }
  for (const [field, value] of Object.entries(others)) {
    if (value === undefined) continue;
    findings.push({ kind: 'dropped', what: what(field), reason: 'Istio has no such setting', file: null });
  }
  if (given.length === 0) return;
  const document = new Document({ meshConfig: Object.fromEntries(given) }, { aliasDuplicateObjects: false });
  files.push({ path: meshConfigFile, content: document.toString({ lineWidth: 0 }) });
}

/** Istio does not read SMI; the same split as a VirtualService. */
function exportSplit(snapshot: MeshSnapshot, split: TrafficSplit, found: Found): void {
  if ((split.spec.matches?.length ?? 0) > 0) {
    drop(found, split, 'its matches are HTTPRouteGroups, which are not applied');
    return;
  }
  const namespace = namespaceOf(split);
  const { key } = resolveHost(split.spec.service, namespace, snapshot.services);
  const owner = snapshot.virtualServices.get(key);
  if (owner !== undefined) {
    drop(found, split, `${describeResource(owner)} has the routes of ${key}`);
    return;
  }
  const host = (name: string) => exportedHost(name, namespace, snapshot.services);
  const { backends } = split.spec;
  // In thousandths, for SMI has quantities such as 500m; whole numbers where they will do.
  const unit = backends.every(({ weight }) => splitWeight(weight) % 1_000 === 0) ? 1_000 : 1;
  found.resources.push({
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: { name: split.metadata.name, namespace },
    spec: {
      hosts: [host(split.spec.service)],
      http: [
        {
          route: backends.map((backend) => ({
            destination: { host: host(backend.service) },
            weight: splitWeight(backend.weight) / unit,
          })),
        },
      ],
    },
  });
  const reason = 'Istio does not read SMI; the same split as a VirtualService';
  found.findings.push({ kind: 'mapped', what: describeResource(split), reason, file: keptFile });
}

/** Faults that VirtualService has no words for; delay and abort are with the routes of their service. */
function reportOtherFaults(snapshot: MeshSnapshot, found: Found): void {
  for (const resource of snapshot.resources.faultInjections) {
    if (readFaultInjection(resource) !== null) continue;
    const { kind } = describeFault(resource.spec);
    drop(found, resource, `Istio's fault injection cannot say it (${kind})`);
  }
}

import type { Finding } from '../model/finding.ts';
import { hostCovers } from '../model/host-syntax.ts';
import type { Destination } from '../model/http-actions.ts';
import {
  compareText,
  describeResource,
  type MeshResources,
  namespaceOf,
  ofKind,
  toMeshResources,
} from '../model/resource.ts';
import type { VirtualService } from '../model/virtual-service.ts';
import type { DiscoveredWorkload, WorkloadPort } from '../model/workload.ts';
import { backendPolicyFindings } from './checks/check-backend-policies.ts';
import { destinationRuleFindings } from './checks/check-destination-rules.ts';
import { gatewayConflictFindings } from './checks/check-gateways.ts';
import { protocolFindings } from './checks/check-protocols.ts';
import { referenceFindings } from './checks/check-references.ts';
import { unusedFindings } from './checks/check-unused.ts';
import { gatewayStatusFindings } from './gateways/gateway-findings.ts';
import { gatewayReachFindings } from './gateways/gateway-reach.ts';
import { resolveHost, toFqdn } from './host-names.ts';
import { settingsOf } from './mesh-settings.ts';
import { destinationPolicy } from './policies/destination-rules.ts';
import { compileInjection } from './policies/injections.ts';
import { meshMtlsMode, peerAuthenticationFindings, workloadMtls } from './policies/peer-mtls.ts';
import { virtualServicesOf } from './routes/virtual-services.ts';
import type { MeshSnapshot, SnapshotInput, SnapshotService, SnapshotWorkload } from './snapshot.ts';
import { exportsMeet } from './visibility/exports.ts';
import { entryHosts, needsAddress } from './visibility/service-entries.ts';
import { allocateAddresses } from './visibility/virtual-addresses.ts';
import { virtualHosts } from './visibility/virtual-hosts.ts';
import { serviceKeyOf } from './workload-identity.ts';

const nobody = () => false;

/** Compiles everything that is the same for all sidecars. Cheap; `toSidecarConfig` does the rest on demand. */
export function compileSnapshot(input: SnapshotInput): MeshSnapshot {
  const sorted = [...input.workloads].sort((a, b) => compareText(a.discovered.id, b.discovered.id));
  const workloads = new Map(sorted.map((workload) => [workload.discovered.id, workload]));
  const services = compileServices(sorted);
  const resources = toMeshResources(input.resources);
  const entries = entryHosts(ofKind(resources.kept, 'ServiceEntry')).filter(
    ({ service }) => !services.has(service.key),
  );
  const hosts = virtualHosts(resources.virtualServices, services, entries);
  const named = [...services.values(), ...entries.map(({ service }) => service), ...hosts];
  const selection = selectVirtualServices(resources.virtualServices, named, services);
  const { revision, trustDomain, rootNamespace } = input;
  const made: Omit<MeshSnapshot, 'findings'> = {
    revision,
    trustDomain,
    rootNamespace,
    resources,
    workloads,
    services,
    entries,
    virtualHosts: hosts,
    virtualAddresses: allocateAddresses([
      ...services.keys(),
      ...entries.filter(needsAddress).map(({ service }) => service.key),
    ]),
    virtualServices: selection.inForce,
    faults: [...input.faults].sort((a, b) => compareText(a.id, b.id)),
    injections: (input.injections ?? [])
      .flatMap((active) => compileInjection(active, settingsOf(resources)) ?? [])
      .sort((a, b) => compareText(a.config.id, b.config.id)),
    mtlsMode: meshMtlsMode(resources.peerAuthentications, rootNamespace),
  };
  return {
    ...made,
    findings: [
      ...virtualServiceFindings(resources, services, rootNamespace),
      ...selection.findings,
      ...referenceFindings(resources, services),
      ...backendPolicyFindings(resources, services, input.hasRoots ?? nobody),
      ...gatewayStatusFindings(resources, rootNamespace, {
        hasCredential: input.hasCredential ?? nobody,
        problemOf: input.credentialProblem ?? (() => null),
        hasRoots: input.hasRoots ?? nobody,
      }),
      ...destinationRuleFindings(resources, services, workloads, rootNamespace),
      ...protocolFindings(resources, services),
      ...gatewayConflictFindings(resources, rootNamespace),
      ...gatewayReachFindings({ ...made, findings: [] }),
      ...unusedFindings(resources, workloads, services, rootNamespace),
      ...peerAuthenticationFindings(resources.peerAuthentications, rootNamespace),
      ...mixedMtlsFindings(resources, sorted, rootNamespace),
    ],
  };
}

function compileServices(workloads: readonly SnapshotWorkload[]): ReadonlyMap<string, SnapshotService> {
  const members = new Map<string, DiscoveredWorkload[]>();
  for (const { discovered } of workloads) {
    const key = serviceKeyOf(discovered);
    const list = members.get(key);
    if (list === undefined) members.set(key, [discovered]);
    else list.push(discovered);
  }
  const keys = [...members.keys()].sort(compareText);
  return new Map(keys.map((key) => [key, toService(key, members.get(key) ?? [])]));
}

function toService(key: string, members: readonly DiscoveredWorkload[]): SnapshotService {
  const ports = new Map<number, WorkloadPort>();
  for (const port of members.flatMap((workload) => workload.ports)) {
    const number = port.servicePort ?? port.port;
    const known = ports.get(number);
    if (known === undefined || known.protocol === 'auto') {
      ports.set(number, { port: number, protocol: port.protocol, publishedPort: port.publishedPort });
    }
  }
  return {
    key,
    name: members[0]?.service ?? key,
    namespace: members[0]?.namespace ?? '',
    workloads: members.map((workload) => workload.id),
    versions: [...new Set(members.flatMap((workload) => workload.version ?? []))].sort(compareText),
    ports: [...ports.values()].sort((a, b) => a.port - b.port),
  };
}

function finding(code: Finding['code'], severity: Finding['severity'], message: string, hint: string): Finding {
  return { code, severity, file: null, line: null, column: null, message, hint };
}

/** Everything that the rules of a VirtualService send to. */
function targetsOf({ spec }: VirtualService): readonly Destination[] {
  const http = (spec.http ?? []).flatMap((rule) => [
    ...(rule.route ?? []),
    ...(rule.mirrors ?? []),
    ...(rule.mirror === undefined ? [] : [{ destination: rule.mirror }]),
  ]);
  const others = [...(spec.tls ?? []), ...(spec.tcp ?? [])].flatMap((rule) => rule.route ?? []);
  return [...http, ...others].map(({ destination }) => destination);
}

/** A caller of the service's own namespace. */
const toClient = ({ namespace }: SnapshotService) => ({ namespace, labels: {} });

/** Hosts and subsets that do not exist. The rule stays: such a destination answers 503. */
function virtualServiceFindings(
  resources: MeshResources,
  services: ReadonlyMap<string, SnapshotService>,
  rootNamespace: string,
): readonly Finding[] {
  const findings = new Map<string, Finding>();
  const add = (value: Finding) => findings.set(value.message, value);
  const entries = new Set(ofKind(resources.kept, 'ServiceEntry').flatMap(({ spec }) => spec.hosts));
  const isEntry = (host: string) => [...entries].some((entry) => hostCovers(entry, host));
  for (const resource of resources.virtualServices) {
    const where = describeResource(resource);
    const namespace = namespaceOf(resource);
    // Of a gateway's, hosts are names that clients outside use.
    const isForGateway = (resource.spec.gateways ?? []).some((gateway) => gateway !== 'mesh');
    const names = isForGateway ? [] : (resource.spec.hosts ?? []).filter((host) => !host.includes('*'));
    const targets = targetsOf(resource);
    for (const host of new Set([...names, ...targets.map((target) => target.host)])) {
      const { key, known, partial } = resolveHost(host, namespace, services);
      if (!known && !isEntry(host)) {
        const hint = "Check the name and namespace; short names are of the resource's own namespace.";
        add(finding('UNKNOWN_HOST', 'warning', `${where}: no workload serves "${host}" (${key})`, hint));
      }
      const service = services.get(key);
      if (partial && service !== undefined) {
        const hint = `Istio takes a name with a dot as it is; write ${toFqdn(service)}.`;
        add(finding('SHORT_HOST', 'warning', `${where}: "${host}" is understood here, not in production`, hint));
      }
    }
    for (const { host, subset } of targets) {
      const service = services.get(resolveHost(host, namespace, services).key);
      if (subset === undefined || service === undefined) continue;
      const rules = resources.destinationRules;
      const { subsets } = destinationPolicy(rules, service, toClient(service), rootNamespace, services);
      if (subsets.some(({ name }) => name === subset)) continue;
      const known = subsets.map(({ name }) => name).join(', ') || 'none';
      const hint = `A DestinationRule for ${service.key} must define it; it defines: ${known}.`;
      add(finding('UNKNOWN_SUBSET', 'warning', `${where}: "${host}" has no subset "${subset}"`, hint));
    }
  }
  return [...findings.values()];
}

/** True when callers of some namespace would have to choose between the two. */
const doMeet = (a: VirtualService, b: VirtualService) =>
  exportsMeet(a.spec.exportTo, b.spec.exportTo, namespaceOf(a), namespaceOf(b));

interface Selection {
  readonly inForce: ReadonlyMap<string, VirtualService>;
  readonly findings: readonly Finding[];
}

/** One VirtualService per service; others with as good a claim are reported. */
function selectVirtualServices(
  all: readonly VirtualService[],
  named: readonly SnapshotService[],
  services: ReadonlyMap<string, SnapshotService>,
): Selection {
  const inForce = new Map<string, VirtualService>();
  const findings: Finding[] = [];
  for (const service of named) {
    if (inForce.has(service.key)) continue;
    const [first, ...others] = virtualServicesOf(all, service, services);
    if (first === undefined) continue;
    inForce.set(service.key, first.resource);
    for (const other of others.filter((one) => one.fit === first.fit && doMeet(one.resource, first.resource))) {
      findings.push(
        finding(
          'CONFLICTING_HOST',
          'warning',
          `${describeResource(other.resource)} is not used for ${service.key}: ${describeResource(first.resource)} has this host already`,
          'Sidecars use one VirtualService per host; merge the two.',
        ),
      );
    }
  }
  return { inForce, findings };
}

function mixedMtlsFindings(
  resources: MeshResources,
  workloads: readonly SnapshotWorkload[],
  rootNamespace: string,
): readonly Finding[] {
  return workloads
    .filter(({ discovered }) => workloadMtls(discovered, resources.peerAuthentications, rootNamespace).mixed)
    .map(({ discovered }) =>
      finding(
        'MIXED_MTLS',
        'info',
        `${discovered.name}: DISABLE for some of its ports is applied as PERMISSIVE`,
        'Callers decide per workload whether they use mutual TLS; production decides per port.',
      ),
    );
}

/**
 * Istio: the mesh's own files are Istio resources, so most of them go out as they are; what is added is what only the
 * running mesh knows (versions as subsets, the mTLS mode in force, active faults) and full host names.
 */
import type { ExportFile, ExportFinding } from '../../contract/shapes.ts';
import { printResources } from '../../model/print-resources.ts';
import { compareText, namespaceOf, type Resource } from '../../model/resource.ts';
import { resolveHost } from '../../snapshot/host-names.ts';
import type { MeshSnapshot, SnapshotService } from '../../snapshot/snapshot.ts';
import type { Exported, Exporter, ExportInput } from '../exporter.ts';
import { kubernetesName } from './names.ts';
import { keptFile, otherResources } from './other-resources.ts';
import { peerAuthentications } from './peer-authentications.ts';
import { printReport } from './report.ts';
import { type Add, serviceManifests } from './service-manifests.ts';

export const istioExporter: Exporter = { target: 'istio', title: 'Istio', export: exportIstio };

function exportIstio(input: ExportInput): Exported {
  const { snapshot } = input;
  const manifests: ExportFile[] = [];
  const findings: ExportFinding[] = [];
  const addTo =
    (file: string | null): Add =>
    (finding) =>
      findings.push({ ...finding, file });
  const write = (path: string, resources: readonly Resource[]) => {
    if (resources.length > 0) manifests.push({ path, content: printResources(resources) });
  };
  const services = exportedServices(snapshot);
  for (const service of services) {
    const { name, namespace } = kubernetesName(service);
    const path = `${namespace}/${name}.yaml`;
    const add = addTo(path);
    if (`${name}.${namespace}` !== service.key) {
      add({
        kind: 'approximated',
        what: service.key,
        reason: `Kubernetes does not allow this name; it is ${name}.${namespace} here`,
      });
    }
    const { virtualService, destinationRule } = serviceManifests(snapshot, service, add);
    write(
      path,
      [virtualService, destinationRule].filter((resource) => resource !== null),
    );
  }
  for (const namespace of exportedNamespaces(snapshot)) {
    const path = `${kubernetesName({ name: 'x', namespace }).namespace}/peer-authentication.yaml`;
    write(path, peerAuthentications(snapshot, namespace, addTo(path)));
  }
  const others = otherResources(snapshot);
  write(keptFile, others.resources);
  findings.push(...others.findings);
  reportInactiveFaults(input, addTo(null));
  manifests.sort((a, b) => compareText(a.path, b.path));
  const kustomization = [
    'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n',
    manifests.length === 0 ? 'resources: []\n' : `resources:\n${manifests.map(({ path }) => `  - ${path}\n`).join('')}`,
  ].join('');
  const namespaces = [...new Set(services.map((service) => kubernetesName(service).namespace))].sort(compareText);
  const report = printReport({ snapshot, namespaces, manifests, findings });
  return {
    files: [
      { path: 'REPORT.md', content: report },
      { path: 'kustomization.yaml', content: kustomization },
      ...others.files,
      ...manifests,
    ],
    findings,
  };
}

/** Services with an attached workload, and those about which something is configured. */
function exportedServices(snapshot: MeshSnapshot): readonly SnapshotService[] {
  const faulted = new Set(snapshot.faults.map((fault) => fault.to));
  const ruled = new Set(
    snapshot.resources.destinationRules.map(
      (rule) => resolveHost(rule.spec.host, namespaceOf(rule), snapshot.services).key,
    ),
  );
  return [...snapshot.services.values()].filter(
    (service) =>
      isAttached(snapshot, service) ||
      snapshot.virtualServices.has(service.key) ||
      faulted.has(service.key) ||
      ruled.has(service.key),
  );
}

/** Gateways are not: production has its own. */
function isAttached(snapshot: MeshSnapshot, service: SnapshotService): boolean {
  return service.workloads.some((id) => {
    const workload = snapshot.workloads.get(id);
    return workload?.attached === true && workload.discovered.runtime !== 'gateway';
  });
}

/** Namespaces with an attached workload, and those that have a policy of their own. */
function exportedNamespaces(snapshot: MeshSnapshot): readonly string[] {
  const attached = [...snapshot.services.values()]
    .filter((service) => isAttached(snapshot, service))
    .map((service) => service.namespace);
  const withPolicy = snapshot.resources.peerAuthentications.map(namespaceOf);
  return [...new Set([...attached, ...withPolicy])].sort(compareText);
}

function reportInactiveFaults({ snapshot, faultDefinitions }: ExportInput, add: Add): void {
  const active = new Set(snapshot.faults.map((fault) => fault.id));
  for (const { id, from, to } of faultDefinitions) {
    if (active.has(id)) continue;
    add({
      kind: 'dropped',
      what: `fault ${id}: ${from ?? 'every caller'} -> ${to}`,
      reason: 'it is switched off; switch it on and export again to have it in production',
    });
  }
  for (const { id, to } of snapshot.faults) {
    if (!snapshot.services.has(to)) add({ kind: 'dropped', what: `fault ${id}`, reason: `there is no service ${to}` });
  }
}

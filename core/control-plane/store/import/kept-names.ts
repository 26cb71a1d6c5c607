import type { MappedName, NameMapping } from '../../../contract/import-shapes.ts';
import type { MeshSettings } from '../../../model/mesh-settings.ts';
import { printResource } from '../../../model/print-resources.ts';
import { compareText, type Resource } from '../../../model/resource.ts';

const newSettings: MeshSettings = {
  apiVersion: 'meshdesk.dev/v1alpha1',
  kind: 'MeshSettings',
  metadata: { name: 'mesh' },
  spec: {},
};

const settingsIn = (resources: readonly Resource[]): MeshSettings | null =>
  resources.find((resource): resource is MeshSettings => resource.kind === 'MeshSettings') ?? null;

/** What names of production are called here, as earlier imports were told; kept in the project's MeshSettings. */
export function keptNames(resources: readonly Resource[]): NameMapping[] {
  const { hostMappings = [], namespaceMappings = [] } = settingsIn(resources)?.spec ?? {};
  return [
    ...hostMappings.map(({ host, service }): NameMapping => ({ kind: 'host', from: host, to: service })),
    ...namespaceMappings.map(
      ({ namespace, local }): NameMapping => ({ kind: 'namespace', from: namespace, to: local }),
    ),
  ];
}

/** The settings with these names besides those that are kept already; `null` when there is nothing new. */
export function withNames(
  resources: readonly Resource[],
  mapping: readonly MappedName[],
): { readonly resource: MeshSettings; readonly text: string } | null {
  const before = keptNames(resources);
  const table = new Map(before.map((one) => [`${one.kind} ${one.from}`, one]));
  for (const { kind, from, to } of mapping) {
    if (to === null) table.delete(`${kind} ${from}`);
    else table.set(`${kind} ${from}`, { kind, from, to });
  }
  const names = [...table.values()].sort((a, b) => compareText(a.from, b.from));
  const ofKind = (kind: NameMapping['kind']) => names.filter((one) => one.kind === kind);
  const hostMappings = ofKind('host').map(({ from, to }) => ({ host: from, service: to ?? '' }));
  const namespaceMappings = ofKind('namespace').map(({ from, to }) => ({ namespace: from, local: to ?? '' }));
  const settings = settingsIn(resources);
  const spec: MeshSettings['spec'] = { ...(settings ?? newSettings).spec, hostMappings, namespaceMappings };
  if (hostMappings.length === 0) delete spec.hostMappings;
  if (namespaceMappings.length === 0) delete spec.namespaceMappings;
  const resource = { ...(settings ?? newSettings), spec };
  const isSame = JSON.stringify(keptNames([resource])) === JSON.stringify(sorted(before));
  return isSame ? null : { resource, text: printResource(resource) };
}

function sorted(names: readonly NameMapping[]): NameMapping[] {
  const byName = names.toSorted((a, b) => compareText(a.from, b.from));
  return [...byName.filter(({ kind }) => kind === 'host'), ...byName.filter(({ kind }) => kind === 'namespace')];
}

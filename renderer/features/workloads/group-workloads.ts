import type { WorkloadView } from '../../../core/contract/shapes.ts';

export interface WorkloadGroup {
  readonly key: string;
  readonly title: string;
  readonly kind: 'compose' | 'containers' | 'processes' | 'gateways';
  readonly workloads: readonly WorkloadView[];
}

/** Compose projects by name, then containers without one, then host processes, then gateways; names in natural order. Pure. */
export function groupWorkloads(workloads: readonly WorkloadView[], filter: string): readonly WorkloadGroup[] {
  const groups = new Map<
    string,
    { title: string; kind: WorkloadGroup['kind']; rank: number; workloads: WorkloadView[] }
  >();
  for (const workload of workloads) {
    if (!matches(workload, filter)) continue;
    const [key, title, kind, rank] = groupOf(workload);
    const group = groups.get(key) ?? { title, kind, rank, workloads: [] };
    group.workloads.push(workload);
    groups.set(key, group);
  }
  return [...groups.entries()]
    .sort(([, left], [, right]) => left.rank - right.rank || compare(left.title, right.title))
    .map(([key, { title, kind, workloads: members }]) => ({
      key,
      title,
      kind,
      workloads: members.sort((left, right) => compare(left.name, right.name)),
    }));
}

function groupOf({
  runtime,
  project,
}: WorkloadView): [key: string, title: string, kind: WorkloadGroup['kind'], rank: number] {
  if (runtime === 'gateway') return ['gateway', 'Gateways', 'gateways', 3];
  if (runtime === 'process') return ['process', 'Host processes', 'processes', 2];
  if (project !== null) return [`compose:${project}`, project, 'compose', 0];
  return ['containers', 'Containers without a compose project', 'containers', 1];
}

/** Every word must occur in the name, service, image, project, version, state or a port. */
function matches(workload: WorkloadView, filter: string): boolean {
  const { name, service, image, project, version, mesh, ports } = workload;
  const text = [name, service, image, project, version, mesh, ...ports.map(({ port }) => port)].join(' ').toLowerCase();
  return filter
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

const compare = (left: string, right: string) => left.localeCompare(right, 'en', { numeric: true });

/** What a switch can act on: running, attachable workloads. */
export function isAttachable({ notAttachable, state }: WorkloadView): boolean {
  return notAttachable === null && state === 'running';
}

export function isMeshed({ mesh }: WorkloadView): boolean {
  return mesh === 'attached' || mesh === 'degraded';
}

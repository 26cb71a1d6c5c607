import { MeshError } from '../../contract/errors.ts';
import type { SnapshotService } from '../../snapshot/snapshot.ts';
import { suggest } from './suggest.ts';

/** Service by `name.namespace`, or by name when only one namespace has it. Throws NOT_FOUND, AMBIGUOUS_NAME. */
export function findService(services: ReadonlyMap<string, SnapshotService>, name: string): SnapshotService {
  const exact = services.get(name);
  if (exact !== undefined) return exact;
  const [only, ...others] = [...services.values()].filter((service) => service.name === name);
  if (only === undefined) {
    const names = [...services.values()].flatMap((service) => [service.name, service.key]);
    throw new MeshError('NOT_FOUND', `There is no service ${name}.${suggest(name, names)}`);
  }
  if (others.length === 0) return only;
  const keys = [only, ...others].map(({ key }) => key).join(', ');
  throw new MeshError('AMBIGUOUS_NAME', `Several services are called ${name}: ${keys}.`);
}

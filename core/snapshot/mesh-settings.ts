import type { MeshSettings } from '../model/mesh-settings.ts';
import { type MeshResources, ofKind } from '../model/resource.ts';

/** The settings in force: the oldest MeshSettings; without one, all defaults. */
export function settingsOf(resources: MeshResources): MeshSettings['spec'] {
  return ofKind(resources.kept, 'MeshSettings')[0]?.spec ?? {};
}

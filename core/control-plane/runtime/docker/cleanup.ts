/** Removes everything of ours that an engine has: rules first, so that no traffic is sent to a sidecar that is gone. */
import type Docker from 'dockerode';
import type { CleanupResult } from '../../../contract/shapes.ts';
import { releaseDocker } from './docker-hold.ts';
import { engineMessage, isAbsent } from './engine-error.ts';
import { isOurs, label } from './labels.ts';
import { listOwn, removeContainer, removeNetworks } from './own-containers.ts';
import { runRules } from './run-rules.ts';

/** Containers that are looked at for rules at a time; each takes two short-lived containers. */
const inParallel = 4;

interface Target {
  readonly id: string;
  readonly name: string;
}

interface Findings {
  readonly containers: string[];
  readonly rules: string[];
  readonly images: string[];
  readonly problems: string[];
}

const hasOwnNamespace = (mode: string | undefined): boolean =>
  mode !== 'host' && mode !== 'none' && mode?.startsWith('container:') !== true;

/** Running containers of the user that may have rules: also those whose sidecar somebody has removed. */
async function listTargets(docker: Docker): Promise<Target[]> {
  return (await docker.listContainers())
    .filter(({ Labels, HostConfig }) => !isOurs(Labels) && hasOwnNamespace(HostConfig.NetworkMode))
    .map(({ Id, Names }) => ({ id: Id, name: (Names[0] ?? Id).replace(/^\//, '') }));
}

async function isRunning(docker: Docker, id: string): Promise<boolean> {
  try {
    return (await docker.getContainer(id).inspect()).State.Running;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}

async function removeRules(docker: Docker, image: string, { id, name }: Target, found: Findings): Promise<void> {
  const purpose = { owner: 'cleanup', role: 'rules', workloadId: id, incarnation: '' } as const;
  const run = { image, networkMode: `container:${id}`, purpose, name };
  try {
    if (!(await runRules(docker, 'show', run)).includes('MESHDESK_')) return;
    await runRules(docker, 'remove', run);
    found.rules.push(name);
  } catch (error) {
    // It stopped meanwhile: its namespace and rules went with it.
    if (await isRunning(docker, id)) throw error;
  }
}

/** Of all projects. Goes on after a problem and lists it. */
export async function cleanEngine(docker: Docker): Promise<CleanupResult> {
  const found: Findings = { containers: [], rules: [], images: [], problems: [] };
  const attempt = async (what: string, work: () => Promise<void>) => {
    try {
      await work();
    } catch (error) {
      found.problems.push(`${what}: ${engineMessage(error)}`);
    }
  };
  const images = await docker.listImages({ filters: { label: [label.image] } });
  const own = await listOwn(docker);
  for (const hold of own.filter(({ role }) => role === 'hold')) {
    await attempt(hold.name, () => releaseDocker(docker, hold));
  }
  const image = own.find(({ role }) => role === 'sidecar')?.image ?? images[0]?.Id;
  if (image !== undefined) {
    const targets = (await listTargets(docker)).values();
    const worker = async () => {
      for (const target of targets)
        await attempt(`rules of ${target.name}`, () => removeRules(docker, image, target, found));
    };
    await Promise.all(Array.from({ length: inParallel }, worker));
  }
  for (const { id, name } of own) {
    await attempt(name, async () => {
      await removeContainer(docker, id);
      found.containers.push(name);
    });
  }
  await attempt('networks of gateways', () => removeNetworks(docker));
  for (const { Id: imageId, RepoTags: tags } of images) {
    const tag = tags?.[0] ?? imageId;
    await attempt(tag, async () => {
      await docker.getImage(imageId).remove({ force: true });
      found.images.push(tag);
    });
  }
  return found;
}

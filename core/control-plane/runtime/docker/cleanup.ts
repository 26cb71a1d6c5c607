/** Removes everything of ours that an engine has: rules first, so that no traffic is sent to a sidecar that is gone. */
import type Docker from 'dockerode';
import type { CleanupResult } from '../../../contract/shapes.ts';
import { engineMessage } from './engine-error.ts';
import { label } from './labels.ts';
import { listOwn, type OwnContainer, removeContainer } from './own-containers.ts';
import { runRules } from './run-rules.ts';

interface Findings {
  readonly containers: string[];
  readonly rules: string[];
  readonly images: string[];
  readonly problems: string[];
}

async function nameOfRunning(docker: Docker, id: string): Promise<string | null> {
  try {
    const { Name: name, State: state } = await docker.getContainer(id).inspect();
    return state.Running ? name.replace(/^\//, '') : null;
  } catch {
    return null; // gone: its namespace and rules went with it
  }
}

async function removeRules(docker: Docker, sidecar: OwnContainer, found: Findings): Promise<void> {
  const name = await nameOfRunning(docker, sidecar.workloadId);
  if (name === null) return;
  const { workloadId, incarnation, owner, image } = sidecar;
  const run = {
    image,
    networkMode: `container:${workloadId}`,
    purpose: { owner, role: 'rules', workloadId, incarnation } as const,
    name,
  };
  const shown = await runRules(docker, 'show', run);
  await runRules(docker, 'remove', run);
  if (shown.includes('MESHDESK_')) found.rules.push(name);
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
  for (const own of await listOwn(docker)) {
    if (own.role === 'sidecar') await attempt(`rules behind ${own.name}`, () => removeRules(docker, own, found));
    await attempt(own.name, async () => {
      await removeContainer(docker, own.id);
      found.containers.push(own.name);
    });
  }
  for (const image of await docker.listImages({ filters: { label: [label.image] } })) {
    const tag = image.RepoTags?.[0] ?? image.Id;
    await attempt(tag, async () => {
      await docker.getImage(image.Id).remove({ force: true });
      found.images.push(tag);
    });
  }
  return found;
}

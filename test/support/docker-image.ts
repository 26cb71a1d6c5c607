/** Local test images made of this machine's own programs: nothing has to be pulled. Built once, named by content. */
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import type Docker from 'dockerode';
import { pack } from 'tar-stream';
import { collectHostRootfs, type RootfsEntry } from '../../core/control-plane/runtime/docker/image/host-rootfs.ts';
import { addRootfs } from '../../core/control-plane/runtime/docker/image/image-context.ts';
import { hasImage } from '../../core/control-plane/runtime/docker/image/sidecar-image.ts';

/** An image of Node, and of redis-server when it is installed. */
export async function ensureTestImage(docker: Docker): Promise<string> {
  return await ensureRootfsImage(docker, 'meshdesk-test/node', collectHostRootfs(['redis-server', 'redis-cli']));
}

/** Tag of an image of these entries and `texts` (content by path); built once and kept for later runs. */
export async function ensureRootfsImage(
  docker: Docker,
  repository: string,
  entries: readonly RootfsEntry[],
  texts: Readonly<Record<string, string>> = {},
  workdir = '/',
): Promise<string> {
  const dockerfile = `FROM scratch\nCOPY rootfs/ /\nENV PATH=/usr/sbin:/usr/bin:/sbin:/bin\nWORKDIR ${workdir}\n`;
  const hash = createHash('sha256').update(dockerfile).update(JSON.stringify(texts));
  for (const entry of entries) {
    hash.update(entry.path).update(entry.kind === 'file' ? `${statSync(entry.source).size}` : entry.target);
  }
  const tag = `${repository}:${hash.digest('hex').slice(0, 12)}`;
  if (await hasImage(docker, tag)) return tag;
  const tar = pack();
  const filled = (async () => {
    tar.entry({ name: 'Dockerfile' }, dockerfile);
    await addRootfs(tar, entries);
    for (const [path, text] of Object.entries(texts)) tar.entry({ name: `rootfs${path}` }, text);
    tar.finalize();
  })();
  const output = await docker.buildImage(tar as unknown as NodeJS.ReadableStream, { t: tag, rm: true, forcerm: true });
  await Promise.all([
    filled,
    new Promise<void>((resolve, reject) => {
      docker.modem.followProgress(output, (error: Error | null, lines: { error?: string }[]) => {
        const failed = lines?.find((line) => line.error !== undefined)?.error;
        if (error !== null || failed !== undefined) reject(error ?? new Error(failed));
        else resolve();
      });
    }),
  ]);
  return tag;
}

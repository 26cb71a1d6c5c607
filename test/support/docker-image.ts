/** A local test image made of this machine's own Node (and redis-server, when it is installed): nothing has to be pulled. */
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import type Docker from 'dockerode';
import { pack } from 'tar-stream';
import { collectHostRootfs } from '../../core/control-plane/runtime/docker/image/host-rootfs.ts';
import { addRootfs } from '../../core/control-plane/runtime/docker/image/image-context.ts';
import { hasImage } from '../../core/control-plane/runtime/docker/image/sidecar-image.ts';

const dockerfile = 'FROM scratch\nCOPY rootfs/ /\nENV PATH=/usr/sbin:/usr/bin:/sbin:/bin\n';

/** Tag of the image; built once and kept for later runs. */
export async function ensureTestImage(docker: Docker): Promise<string> {
  const entries = collectHostRootfs(['redis-server', 'redis-cli']);
  const hash = createHash('sha256');
  for (const entry of entries) {
    hash.update(entry.path).update(entry.kind === 'file' ? `${statSync(entry.source).size}` : entry.target);
  }
  const tag = `meshdesk-test/node:${hash.digest('hex').slice(0, 12)}`;
  if (await hasImage(docker, tag)) return tag;
  const tar = pack();
  const filled = (async () => {
    tar.entry({ name: 'Dockerfile' }, dockerfile);
    await addRootfs(tar, entries);
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

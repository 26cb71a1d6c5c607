/** Build contexts, as tar streams, for the two ways to make the sidecar image, and the content hash that names it. */
import { createHash } from 'node:crypto';
import { createReadStream, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Pack, pack } from 'tar-stream';
import { collectHostRootfs, parentsOf, type RootfsEntry } from './host-rootfs.ts';
import { collectSidecarFiles, fingerprint, type ImageFile } from './sidecar-files.ts';

export interface ImageContext {
  /** First 16 hex digits of the SHA-256 of everything that goes in. */
  readonly hash: string;
  readonly buildArgs: Readonly<Record<string, string>>;
  /** A fresh tar stream. */
  open(): Readable;
}

const hostDockerfile = `FROM scratch
COPY rootfs/ /
COPY meshdesk/ /meshdesk/
ENV PATH=/usr/sbin:/usr/bin:/sbin:/bin MESHDESK_SOCKET=/run/meshdesk/sidecar.sock MESHDESK_UID=1337 MESHDESK_GID=1337
ENTRYPOINT ["/bin/sh", "/meshdesk/guard.sh"]
`;

function hashOf(parts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest('hex').slice(0, 16);
}

async function addFile(tar: Pack, name: string, source: string, mode: number): Promise<void> {
  const entry = tar.entry({ name, mode, size: statSync(source).size, mtime: new Date(0) });
  await pipeline(createReadStream(source), entry);
}

function stream(fill: (tar: Pack) => Promise<void>): Readable {
  const tar = pack();
  fill(tar).then(
    () => tar.finalize(),
    (error: unknown) => tar.destroy(error instanceof Error ? error : new Error(String(error))),
  );
  return tar as unknown as Readable;
}

async function addSidecarFiles(tar: Pack, files: readonly ImageFile[], prefix: string): Promise<void> {
  for (const { name, source, executable } of files)
    await addFile(tar, `${prefix}${name}`, source, executable ? 0o755 : 0o644);
}

/** From a base image, with the Dockerfile that is shipped with the sidecar. */
export function createBaseContext(distDir: string, baseImage: string): ImageContext {
  const files = collectSidecarFiles(distDir);
  const dockerfile = readFileSync(join(distDir, 'sidecar', 'Dockerfile'), 'utf8');
  return {
    hash: hashOf([baseImage, dockerfile, ...files.flatMap(({ name, source }) => [name, fingerprint(source)])]),
    buildArgs: { BASE_IMAGE: baseImage },
    open: () =>
      stream(async (tar) => {
        tar.entry({ name: 'Dockerfile' }, dockerfile);
        await addSidecarFiles(tar, files, '');
      }),
  };
}

/** Writes a root file system below `rootfs/`. */
export async function addRootfs(tar: Pack, entries: readonly RootfsEntry[]): Promise<void> {
  for (const dir of parentsOf(entries)) {
    tar.entry({ name: `rootfs${dir}/`, type: 'directory', mode: dir === '/tmp' ? 0o1777 : 0o755, mtime: new Date(0) });
  }
  for (const entry of entries) {
    const name = `rootfs${entry.path}`;
    if (entry.kind === 'link') tar.entry({ name, type: 'symlink', linkname: entry.target, mtime: new Date(0) });
    else await addFile(tar, name, entry.source, statSync(entry.source).mode & 0o777);
  }
}

/** From scratch, out of this machine's own programs. */
export function createHostContext(distDir: string): ImageContext {
  const files = collectSidecarFiles(distDir);
  const rootfs = collectHostRootfs();
  const rootfsParts = rootfs.flatMap((entry) =>
    entry.kind === 'file' ? [entry.path, fingerprint(entry.source)] : [entry.path, entry.target],
  );
  return {
    hash: hashOf([hostDockerfile, ...rootfsParts, ...files.flatMap(({ name, source }) => [name, fingerprint(source)])]),
    buildArgs: {},
    open: () =>
      stream(async (tar) => {
        tar.entry({ name: 'Dockerfile' }, hostDockerfile);
        await addRootfs(tar, rootfs);
        await addSidecarFiles(tar, files, 'meshdesk/');
      }),
  };
}

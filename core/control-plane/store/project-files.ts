import { watch } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { exportManifest, isYamlName, maxDepth, skippedFolders } from './project-path.ts';

/** Not more files than this. */
const maxFiles = 1_000;
const rescanEveryMs = 2_000;
const settleMs = 60;
const meshResource =
  /(?:^|[{,])[\s-]*["']?apiVersion["']?\s*:\s*["']?(?:[a-z]+\.istio\.io|meshdesk\.dev|gateway\.networking\.(?:x-)?k8s\.io|split\.smi-spec\.io)\//m;

/**
 * Only files with a resource of a mesh in them are ours: a project folder also has compose files and manifests. Namespaces, which
 * stand at the head of many manifests, make a file ours only where there is nothing else.
 */
function isOfMesh(text: string): boolean {
  if (meshResource.test(text)) return true;
  const kinds = [...text.matchAll(/^kind:\s*["']?(\w+)/gm)].map(([, kind]) => kind);
  return kinds.length > 0 && kinds.every((kind) => kind === 'Namespace');
}

export interface ProjectFile {
  /** Relative to the project, with `/`. */
  readonly path: string;
  readonly text: string;
}

/** A file, or a folder with all below it, that is there and cannot be read. */
export interface UnreadPlace {
  /** Relative to the project, with `/`; '' is the project's folder itself. */
  readonly path: string;
  readonly reason: string;
}

export interface ReadFiles {
  readonly files: readonly ProjectFile[];
  readonly unread: readonly UnreadPlace[];
}

interface Listing {
  /** Relative paths of the YAML files, sorted, with a signature that changes when the file does. */
  readonly files: ReadonlyMap<string, string>;
  readonly unread: readonly UnreadPlace[];
}

const reasonOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
const isGone = (error: unknown) => ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');

/** A folder that was removed has no files; the project's own has to be there. */
async function listYamlFiles(root: string): Promise<Listing> {
  const found = new Map<string, string>();
  const unread: UnreadPlace[] = [];
  const note = (path: string, error: unknown) => {
    if (path === '' || !isGone(error)) unread.push({ path, reason: reasonOf(error) });
  };
  const walk = async (relative: string, depth: number): Promise<void> => {
    const entries = await readdir(join(root, relative), { withFileTypes: true }).catch((error: unknown) => {
      note(relative, error);
      return [];
    });
    if (entries.some(({ name }) => name === exportManifest)) return;
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = relative === '' ? entry.name : `${relative}/${entry.name}`;
      if (entry.name.startsWith('.') || found.size >= maxFiles) continue;
      if (entry.isDirectory() && depth < maxDepth && !skippedFolders.has(entry.name)) await walk(path, depth + 1);
      if (!entry.isFile() || !isYamlName(entry.name)) continue;
      const info = await stat(join(root, path)).catch((error: unknown) => {
        note(path, error);
        return null;
      });
      if (info !== null) found.set(path, `${info.mtimeMs}/${info.ctimeMs}/${info.size}/${info.ino}`);
    }
  };
  await walk('', 1);
  return { files: new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1))), unread };
}

/** Whether a file is that place or lies in it. */
export const isBelow = (path: string, place: UnreadPlace): boolean =>
  place.path === '' || path === place.path || path.startsWith(`${place.path}/`);

/** Reads a project's mesh files and notices when they change: by the system's events, and by looking every two seconds. */
export class ProjectFiles {
  readonly #root: string;
  #signature = '';
  /** Files that once were ours stay so while they are there: an edit under way may have none of the words of a mesh. */
  readonly #ours = new Set<string>();
  #watchers = new Map<string, { close(): void }>();
  #rescan: NodeJS.Timeout | null = null;
  #settle: NodeJS.Timeout | null = null;

  constructor(root: string) {
    this.#root = root;
  }

  /** The files with resources of a mesh, and what could not be read; `null` when nothing changed since the last call. */
  async readIfChanged(): Promise<ReadFiles | null> {
    const listing = await listYamlFiles(this.#root);
    const signature = JSON.stringify([[...listing.files], listing.unread]);
    if (signature === this.#signature) return null;
    this.#signature = signature;
    const unread = [...listing.unread];
    const files: ProjectFile[] = [];
    for (const path of listing.files.keys()) {
      const text = await readFile(join(this.#root, path), 'utf8').catch((error: unknown) => {
        if (!isGone(error)) unread.push({ path, reason: reasonOf(error) });
        return null;
      });
      if (text === null || !(this.#ours.has(path) || isOfMesh(text))) continue;
      this.#ours.add(path);
      files.push({ path, text });
    }
    for (const path of this.#ours) {
      if (!listing.files.has(path) && !unread.some((place) => isBelow(path, place))) this.#ours.delete(path);
    }
    const folders = [...listing.files.keys()].map((path) => path.split('/').slice(0, -1).join('/'));
    this.#watchFolders(new Set(['', ...folders]));
    return { files, unread };
  }

  /** This file is ours whatever is in it. */
  claim(path: string): void {
    this.#ours.add(path);
  }

  /** Calls back when it is worth to look again, a moment after the last write. */
  watch(onMaybeChanged: () => void): void {
    this.#rescan = setInterval(onMaybeChanged, rescanEveryMs);
    this.#rescan.unref();
    this.#onEvent = () => {
      if (this.#settle !== null) clearTimeout(this.#settle);
      this.#settle = setTimeout(onMaybeChanged, settleMs);
    };
  }

  #onEvent: () => void = () => undefined;

  close(): void {
    if (this.#rescan !== null) clearInterval(this.#rescan);
    if (this.#settle !== null) clearTimeout(this.#settle);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #watchFolders(folders: ReadonlySet<string>): void {
    for (const [folder, watcher] of this.#watchers) {
      if (folders.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const folder of folders) {
      if (this.#watchers.has(folder)) continue;
      try {
        const watcher = watch(join(this.#root, folder), { persistent: false }, () => this.#onEvent());
        watcher.on('error', () => watcher.close());
        this.#watchers.set(folder, watcher);
      } catch {
        return; // out of watches or a folder that is gone: looking every two seconds remains
      }
    }
  }
}

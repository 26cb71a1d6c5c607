/** The project's YAML files as resources: loaded, watched, and edited in place with comments and key order kept. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MeshError } from '../../contract/errors.ts';
import type { Finding } from '../../model/finding.ts';
import { parseResources } from '../../model/parse-resources.ts';
import { printResource } from '../../model/print-resources.ts';
import { describeResource, namespaceOf, type Resource, type ResourceKind } from '../../model/resource.ts';
import type { Logger } from '../../shared/logger.ts';
import type { ResourceStore } from '../mesh/resource-store.ts';
import { type Change, EditHistory, type FileChange } from './edit-history.ts';
import { putInYaml, removeFromYaml, toResourceName } from './edit-yaml.ts';
import { locateResources } from './locate-resources.ts';
import { isBelow, type ProjectFile, ProjectFiles, type UnreadPlace } from './project-files.ts';
import { requireProjectFile } from './project-path.ts';
import { readWhole, writeWhole } from './write-file.ts';

export interface LoadedFile {
  readonly path: string;
  readonly text: string;
  /** Of the last text without an error. */
  readonly resources: readonly Resource[];
  readonly findings: readonly Finding[];
  /** The text that `resources` are of. */
  readonly appliedText: string;
  /** True: that is an earlier one. */
  readonly isBehind: boolean;
  /** How many documents of other kinds the text of `resources` has. */
  readonly foreign: number;
}

/** A resource to put, and the YAML document to write for it where the project has none yet. */
export interface ResourceText {
  readonly resource: Resource;
  readonly text: string;
}

export interface FileResourceStoreOptions {
  readonly dir: string;
  readonly log: Logger;
  /** Wall clock of the history. */
  readonly nowMs: () => number;
  /** Told when a file cannot be used, with file, line and column. */
  readonly onNotice: (notice: { level: 'warn' | 'error'; code: string; message: string }) => void;
}

/** Where a resource goes that no file has yet. */
export function homeOf(resource: Resource): string {
  const namespace = namespaceOf(resource);
  switch (resource.kind) {
    case 'VirtualService':
    case 'DestinationRule':
      return `traffic/${namespace}.${resource.metadata.name}.yaml`;
    case 'FaultInjection':
      return 'faults.yaml';
    case 'PeerAuthentication':
      return 'security.yaml';
    default:
      return 'resources.yaml';
  }
}

const describePlace = ({ file, line, column }: Finding) =>
  [file, line, column].filter((part) => part !== null).join(':');
/** A kind that is not ours is no error in a folder that may hold other manifests too. */
const isForeign = ({ code }: Finding) => code === 'UNKNOWN_KIND';
const isBlocking = (finding: Finding) => finding.severity === 'error' && !isForeign(finding);

/** A kind that was ours and is not now is a slip (`VirtualServic`), not another manifest. */
function hidesResource(known: LoadedFile, resources: readonly Resource[], findings: readonly Finding[]): boolean {
  if (findings.filter(isForeign).length <= known.foreign) return false;
  const names = new Set(resources.map(describeResource));
  return known.resources.some((resource) => !names.has(describeResource(resource)));
}

export class FileResourceStore implements ResourceStore {
  readonly #options: FileResourceStoreOptions;
  readonly #files: ProjectFiles;
  readonly #listeners = new Set<() => void>();
  readonly #fileListeners = new Set<() => void>();
  readonly #history = new EditHistory();
  #loaded = new Map<string, LoadedFile>();
  #resources: readonly Resource[] = [];
  #duplicates: readonly Finding[] = [];
  #turn: Promise<unknown> = Promise.resolve();
  #isStarted = false;
  /** Places that somebody was told of. */
  #unread: ReadonlySet<string> = new Set();

  constructor(options: FileResourceStoreOptions) {
    this.#options = options;
    this.#files = new ProjectFiles(options.dir);
  }

  /** Reads the folder and begins to watch it. */
  async start(): Promise<void> {
    await this.#inTurn(() => this.#reload());
    this.#files.watch(() => {
      this.#inTurn(() => this.#reload()).catch((error: unknown) =>
        this.#options.log.error('reading the project failed', error),
      );
    });
  }

  all(): readonly Resource[] {
    return this.#resources;
  }

  /** What there is to say about the files, errors first. */
  findings(): readonly Finding[] {
    const all = [...[...this.#loaded.values()].flatMap((file) => file.findings), ...this.#duplicates];
    return [...all.filter(isBlocking), ...all.filter((finding) => !isBlocking(finding))];
  }

  /** By path, as they were read last. */
  files(): readonly LoadedFile[] {
    return [...this.#loaded.values()];
  }

  async put(resources: readonly Resource[]): Promise<void> {
    const label = `put ${resources.map(describeResource).join(', ')}`;
    await this.putTexts(
      resources.map((resource) => ({ resource, text: printResource(resource) })),
      label,
    );
  }

  /** Like `put`; a resource that is new is written as its text says, comments too. Resolves with the files it wrote. */
  putTexts(given: readonly ResourceText[], label: string): Promise<string[]> {
    return this.#inTurn(async () => {
      const texts = new Map<string, string>();
      for (const { resource, text } of given) {
        const file = this.fileOf(resource) ?? homeOf(resource);
        const before = texts.get(file) ?? (await this.#read(file)) ?? '';
        texts.set(
          file,
          this.#edit(file, () => putInYaml(before, resource, text)),
        );
      }
      for (const [file, text] of texts) await this.#write(file, text);
      await this.#reload(label);
      return [...texts.keys()].sort();
    });
  }

  /**
   * Writes a whole file, or removes it (`null`). `expected`: what it is now, else rejects with CONFLICT; `null`: it is
   * not there. A text with errors is written too. Rejects with BAD_REQUEST for a path that is not one of the project's.
   */
  async save(path: string, text: string | null, expected: string | null): Promise<LoadedFile | null> {
    await requireProjectFile(this.#options.dir, path);
    return this.#inTurn(async () => {
      const now = await this.#read(path);
      if (now !== expected) {
        const what = now === null ? 'is gone' : expected === null ? 'is there already' : 'was changed since';
        throw new MeshError('CONFLICT', `${path} ${what}.`);
      }
      this.#files.claim(path);
      await this.#putBack(path, text);
      const verb = text === null ? 'remove' : expected === null ? 'create' : 'edit';
      await this.#reload(`${verb} ${path}`, path);
      return this.#loaded.get(path) ?? null;
    });
  }

  remove(kind: ResourceKind, namespace: string, name: string): Promise<void> {
    return this.#inTurn(async () => {
      for (const [file, { resources }] of this.#loaded) {
        if (!resources.some((own) => own.kind === kind && namespaceOf(own) === namespace && own.metadata.name === name))
          continue;
        const before = (await this.#read(file)) ?? '';
        const text = this.#edit(file, () => removeFromYaml(before, { kind, namespace, name }));
        await this.#putBack(file, text === '' ? null : text);
      }
      await this.#reload(`remove ${kind} ${namespace}/${name}`);
    });
  }

  /** Changes of the files since the start, by whomever, newest first. */
  history(): { readonly done: readonly Change[]; readonly undone: readonly Change[] } {
    return this.#history.list();
  }

  /** Takes the newest change back. Resolves with it; rejects with NOT_FOUND, or CONFLICT when a file was changed since. */
  undo(): Promise<Change> {
    return this.#step(
      () => this.#history.nextUndo(),
      ({ before, after }) => ({ from: after, to: before }),
      () => this.#history.undone(),
    );
  }

  /** Brings back what was undone last. */
  redo(): Promise<Change> {
    return this.#step(
      () => this.#history.nextRedo(),
      ({ before, after }) => ({ from: before, to: after }),
      () => this.#history.redone(),
    );
  }

  onChange(callback: () => void): () => void {
    this.#listeners.add(callback);
    return () => this.#listeners.delete(callback);
  }

  /** Calls back after every change of a file or of what there is to say about it, also without one of the resources. */
  onFiles(callback: () => void): () => void {
    this.#fileListeners.add(callback);
    return () => this.#fileListeners.delete(callback);
  }

  /** The file that has this resource. */
  fileOf(resource: Resource): string | null {
    const wanted = JSON.stringify(toResourceName(resource));
    for (const [file, { resources }] of this.#loaded) {
      if (resources.some((own) => JSON.stringify(toResourceName(own)) === wanted)) return file;
    }
    return null;
  }

  close(): void {
    this.#files.close();
    this.#listeners.clear();
    this.#fileListeners.clear();
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  #step(
    next: () => Change | null,
    direction: (file: FileChange) => { readonly from: string | null; readonly to: string | null },
    done: () => void,
  ): Promise<Change> {
    return this.#inTurn(async () => {
      const change = next();
      if (change === null) throw new MeshError('NOT_FOUND', 'There is no change to take back or to bring back.');
      for (const file of change.files) {
        if ((await this.#read(file.path)) === direction(file).from) continue;
        throw new MeshError('CONFLICT', `${file.path} was changed since "${change.label}"; edit it by hand.`);
      }
      for (const file of change.files) {
        this.#files.claim(file.path);
        await this.#putBack(file.path, direction(file).to);
      }
      await this.#reload(null);
      done();
      return change;
    });
  }

  /**
   * @param label of the change in the history; `null`: it is a step in the history itself
   * @param quiet a file whose errors whoever wrote it is told anyway
   */
  async #reload(label: string | null = 'changed on disk', quiet: string | null = null): Promise<void> {
    const read = await this.#files.readIfChanged();
    if (read === null) return;
    const loaded = this.#keepUnread(
      read.files.map((file) => this.#load(file, file.path === quiet)),
      read.unread,
    );
    this.#tellEmptied(read.files.filter(({ path }) => path !== quiet));
    if (label !== null && this.#isStarted) this.#history.add(label, this.#differences(loaded), this.#options.nowMs());
    this.#isStarted = true;
    this.#loaded = loaded;
    const before = JSON.stringify(this.#resources);
    this.#collect();
    if (JSON.stringify(this.#resources) !== before) for (const listener of this.#listeners) listener();
    for (const listener of this.#fileListeners) listener();
  }

  #differences(next: ReadonlyMap<string, LoadedFile>): FileChange[] {
    return [...new Set([...this.#loaded.keys(), ...next.keys()])].map((path) => ({
      path,
      before: this.#loaded.get(path)?.text ?? null,
      after: next.get(path)?.text ?? null,
    }));
  }

  #load({ path, text }: ProjectFile, isQuiet: boolean): LoadedFile {
    const known = this.#loaded.get(path);
    if (known?.text === text) return known;
    const { resources, findings } = parseResources(text, path);
    const broken = findings.filter(isBlocking);
    if (known !== undefined && hidesResource(known, resources, findings)) broken.push(...findings.filter(isForeign));
    const first = broken[0];
    const foreign = findings.filter(isForeign).length;
    const loaded = { path, text, appliedText: text, resources, findings, isBehind: false, foreign };
    if (first === undefined) return loaded;
    const more = broken.length > 1 ? ` (and ${broken.length - 1} more in this file)` : '';
    const kept = known === undefined ? 'What is wrong is left out.' : 'The last good version stays in force.';
    const message = `${describePlace(first)}: ${first.message}${more}. ${kept}`;
    if (!isQuiet) this.#options.onNotice({ level: 'error', code: 'INVALID_RESOURCE', message });
    if (known === undefined) return loaded;
    return { ...known, text, findings, isBehind: true };
  }

  /** Rules must not be gone because nobody may read their file just now: what was read last stays. */
  #keepUnread(files: readonly LoadedFile[], unread: readonly UnreadPlace[]): Map<string, LoadedFile> {
    const loaded = new Map(files.map((file) => [file.path, file]));
    const told = this.#unread;
    this.#unread = new Set(unread.map(({ path, reason }) => `${path} ${reason}`));
    for (const place of unread) {
      const kept = [...this.#loaded.values()].filter((file) => !loaded.has(file.path) && isBelow(file.path, place));
      for (const file of kept) loaded.set(file.path, file);
      if (told.has(`${place.path} ${place.reason}`)) continue;
      const what = place.path === '' ? "The project's folder" : place.path;
      const meanwhile =
        kept.length > 0
          ? `What was read of ${kept.map(({ path }) => path).join(', ')} before stays in force.`
          : 'What is in there is left out.';
      const message = `${what} cannot be read (${place.reason}). ${meanwhile}`;
      this.#options.onNotice({ level: kept.length > 0 ? 'error' : 'warn', code: 'INVALID_RESOURCE', message });
    }
    return new Map([...loaded].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** An editor or a full disk may leave nothing of a file; whoever meant to empty it is not surprised by a word. */
  #tellEmptied(files: readonly ProjectFile[]): void {
    for (const { path, text } of files) {
      const known = this.#loaded.get(path);
      if (text.trim() !== '' || known === undefined || known.resources.length === 0) continue;
      const lost = known.resources.map(describeResource).join(', ');
      const message = `${path} is empty now, so ${lost} applies no more. Undo brings it back.`;
      this.#options.onNotice({ level: 'warn', code: 'INVALID_RESOURCE', message });
    }
  }

  /** One resource per kind, namespace and name: the first file in the alphabet has it. */
  #collect(): void {
    const byName = new Map<string, { resource: Resource; file: string }>();
    const duplicates: Finding[] = [];
    for (const [file, { resources, text }] of this.#loaded) {
      for (const resource of resources) {
        const name = `${resource.apiVersion.split('/')[0]} ${describeResource(resource)}`;
        const other = byName.get(name);
        if (other === undefined) byName.set(name, { resource, file });
        else duplicates.push(toDuplicate(resource, file, text, other.file));
      }
    }
    this.#resources = [...byName.values()].map(({ resource }) => resource);
    const told = new Set(this.#duplicates.map(({ message }) => message));
    this.#duplicates = duplicates;
    for (const { message } of duplicates) {
      if (!told.has(message)) this.#options.onNotice({ level: 'warn', code: 'INVALID_RESOURCE', message });
    }
  }

  #edit(file: string, edit: () => string): string {
    try {
      return edit();
    } catch (error) {
      throw new MeshError(
        'INVALID_RESOURCE',
        `${file} cannot be changed while it is not valid YAML: ${(error as Error).message}`,
        { cause: error },
      );
    }
  }

  #read(file: string): Promise<string | null> {
    return readWhole(join(this.#options.dir, file));
  }

  #write(file: string, text: string): Promise<void> {
    return writeWhole(join(this.#options.dir, file), text);
  }

  async #putBack(file: string, text: string | null): Promise<void> {
    if (text === null) await rm(join(this.#options.dir, file), { force: true });
    else await this.#write(file, text);
  }
}

function toDuplicate(resource: Resource, file: string, text: string, other: string): Finding {
  const { kind, namespace, name } = toResourceName(resource);
  const place = locateResources(text).find(
    (one) => one.kind === kind && one.namespace === namespace && one.name === name,
  );
  return {
    code: 'DUPLICATE',
    severity: 'warning',
    file,
    line: place?.line ?? null,
    column: place?.column ?? null,
    message: `${describeResource(resource)} is in ${other} and in ${file}; the first is used`,
    hint: 'Remove one of them, or give it another name.',
  };
}

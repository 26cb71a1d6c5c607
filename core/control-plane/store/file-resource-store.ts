/** The project's YAML files as resources: loaded, watched, and edited in place with comments and key order kept. */
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MeshError } from '../../contract/errors.ts';
import type { Finding } from '../../model/finding.ts';
import { parseResources } from '../../model/parse-resources.ts';
import { describeResource, namespaceOf, type Resource, type ResourceKind } from '../../model/resource.ts';
import type { Logger } from '../../shared/logger.ts';
import type { ResourceStore } from '../mesh/resource-store.ts';
import { type Change, EditHistory, type FileChange } from './edit-history.ts';
import { putInYaml, removeFromYaml, toResourceName } from './edit-yaml.ts';
import { type ProjectFile, ProjectFiles } from './project-files.ts';

interface LoadedFile {
  readonly text: string;
  /** Of the last text without an error. */
  readonly resources: readonly Resource[];
  readonly findings: readonly Finding[];
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
function homeOf(resource: Resource): string {
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
const isBlocking = ({ severity, code }: Finding) => severity === 'error' && code !== 'UNKNOWN_KIND';

export class FileResourceStore implements ResourceStore {
  readonly #options: FileResourceStoreOptions;
  readonly #files: ProjectFiles;
  readonly #listeners = new Set<() => void>();
  readonly #history = new EditHistory();
  #loaded = new Map<string, LoadedFile>();
  #resources: readonly Resource[] = [];
  #turn: Promise<unknown> = Promise.resolve();
  #isStarted = false;

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
    const all = [...this.#loaded.values()].flatMap((file) => file.findings);
    return [...all.filter(isBlocking), ...all.filter((finding) => !isBlocking(finding))];
  }

  put(resources: readonly Resource[]): Promise<void> {
    return this.#inTurn(async () => {
      const texts = new Map<string, string>();
      for (const resource of resources) {
        const file = this.#fileOf(resource) ?? homeOf(resource);
        const before = texts.get(file) ?? (await this.#read(file));
        texts.set(
          file,
          this.#edit(file, () => putInYaml(before, resource)),
        );
      }
      for (const [file, text] of texts) await this.#write(file, text);
      await this.#reload(`put ${resources.map(describeResource).join(', ')}`);
    });
  }

  remove(kind: ResourceKind, namespace: string, name: string): Promise<void> {
    return this.#inTurn(async () => {
      for (const [file, { resources }] of this.#loaded) {
        if (!resources.some((own) => own.kind === kind && namespaceOf(own) === namespace && own.metadata.name === name))
          continue;
        const before = await this.#read(file);
        const text = this.#edit(file, () => removeFromYaml(before, { kind, namespace, name }));
        if (text === '') await rm(join(this.#options.dir, file), { force: true });
        else await this.#write(file, text);
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

  close(): void {
    this.#files.close();
    this.#listeners.clear();
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
        const now = this.#loaded.get(file.path)?.text ?? null;
        if (now === direction(file).from) continue;
        throw new MeshError('CONFLICT', `${file.path} was changed since "${change.label}"; edit it by hand.`);
      }
      for (const file of change.files) {
        const { to } = direction(file);
        if (to === null) await rm(join(this.#options.dir, file.path), { force: true });
        else await this.#write(file.path, to);
      }
      await this.#reload(null);
      done();
      return change;
    });
  }

  /** @param label of the change in the history; `null`: it is a step in the history itself */
  async #reload(label: string | null = 'changed on disk'): Promise<void> {
    const files = await this.#files.readIfChanged();
    if (files === null) return;
    const loaded = new Map(files.map((file) => [file.path, this.#load(file)]));
    if (label !== null && this.#isStarted) this.#history.add(label, this.#differences(loaded), this.#options.nowMs());
    this.#isStarted = true;
    this.#loaded = loaded;
    const before = JSON.stringify(this.#resources);
    this.#resources = this.#collect();
    if (JSON.stringify(this.#resources) === before) return;
    for (const listener of this.#listeners) listener();
  }

  #differences(next: ReadonlyMap<string, LoadedFile>): FileChange[] {
    return [...new Set([...this.#loaded.keys(), ...next.keys()])].map((path) => ({
      path,
      before: this.#loaded.get(path)?.text ?? null,
      after: next.get(path)?.text ?? null,
    }));
  }

  #load({ path, text }: ProjectFile): LoadedFile {
    const known = this.#loaded.get(path);
    if (known?.text === text) return known;
    const { resources, findings } = parseResources(text, path);
    const broken = findings.filter(isBlocking);
    const first = broken[0];
    if (first === undefined) return { text, resources, findings };
    const more = broken.length > 1 ? ` (and ${broken.length - 1} more in this file)` : '';
    const kept = known === undefined ? 'What is wrong is left out.' : 'The last good version stays in force.';
    const message = `${describePlace(first)}: ${first.message}${more}. ${kept}`;
    this.#options.onNotice({ level: 'error', code: 'INVALID_RESOURCE', message });
    return { text, resources: known?.resources ?? resources, findings };
  }

  /** One resource per kind, namespace and name: the first file in the alphabet has it. */
  #collect(): Resource[] {
    const byName = new Map<string, { resource: Resource; file: string }>();
    for (const [file, { resources }] of this.#loaded) {
      for (const resource of resources) {
        const name = describeResource(resource);
        const other = byName.get(name);
        if (other === undefined) byName.set(name, { resource, file });
        else
          this.#options.onNotice({
            level: 'warn',
            code: 'INVALID_RESOURCE',
            message: `${name} is in ${other.file} and in ${file}; the first is used.`,
          });
      }
    }
    return [...byName.values()].map(({ resource }) => resource);
  }

  #fileOf(resource: Resource): string | null {
    const { kind, namespace, name } = toResourceName(resource);
    for (const [file, { resources }] of this.#loaded) {
      if (resources.some((own) => own.kind === kind && namespaceOf(own) === namespace && own.metadata.name === name))
        return file;
    }
    return null;
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

  #read(file: string): Promise<string> {
    return readFile(join(this.#options.dir, file), 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '';
      throw error;
    });
  }

  /** All or nothing: a new file takes the old one's place once it is on disk. */
  async #write(file: string, text: string): Promise<void> {
    const path = join(this.#options.dir, file);
    const temporary = join(dirname(path), `.${process.pid}.${Date.now()}.tmp`);
    try {
      await mkdir(dirname(path), { recursive: true });
      const handle = await open(temporary, 'w');
      await handle.writeFile(text);
      await handle.sync();
      await handle.close();
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw new MeshError('PROJECT_UNWRITABLE', `Cannot write ${path}: ${(error as Error).message}`, { cause: error });
    }
  }
}

import {
  type ApplyResult,
  type ConfigChange,
  type ConfigFile,
  type ConfigFiles,
  type ConfigSave,
  type ConfigText,
  type FindingView,
  type ResourceView,
  toFindingView,
} from '../../contract/config-shapes.ts';
import { MeshError } from '../../contract/errors.ts';
import { describeFinding, type Finding } from '../../model/finding.ts';
import { parseResources } from '../../model/parse-resources.ts';
import { printResource } from '../../model/print-resources.ts';
import { describeResource, namespaceOf, type Resource } from '../../model/resource.ts';
import type { FileResourceStore, LoadedFile } from './file-resource-store.ts';
import { type LocatedResource, locateResources } from './locate-resources.ts';
import { placeFindings } from './place-findings.ts';

const severityRank = { error: 0, warning: 1, info: 2 } as const;

/** What people do with the project's resources by hand: look, check, edit, apply, delete, undo. */
export class ConfigDesk {
  readonly #store: FileResourceStore;
  readonly #meshFindings: () => readonly Finding[];
  readonly #located = new WeakMap<LoadedFile, LocatedResource[]>();
  #seen: { mesh: readonly Finding[]; picture: string } = { mesh: [], picture: '' };
  #change = 0;

  /** @param meshFindings what does not fit together in the configuration in force */
  constructor(store: FileResourceStore, meshFindings: () => readonly Finding[]) {
    this.#store = store;
    this.#meshFindings = meshFindings;
  }

  /** Errors first, then those of the files, then those of the mesh as a whole; placed where their resource stands. */
  findings(): FindingView[] {
    const all = placeFindings([...this.#store.findings(), ...this.#meshFindings()], this.#placedFiles());
    return all.toSorted((a, b) => severityRank[a.severity] - severityRank[b.severity]).map(toFindingView);
  }

  files(): ConfigFiles {
    const findings = this.findings();
    const files = this.#store.files().map((file) => this.#toConfigFile(file, findings));
    const paths = new Set(files.map(({ path }) => path));
    return { files, findings: findings.filter(({ file }) => file === null || !paths.has(file)) };
  }

  /** Rejects with BAD_REQUEST for a path that is not one of the project's, CONFLICT when the file is not `expected`. */
  async save({ path, text, expected }: ConfigSave): Promise<{ file: ConfigFile | null }> {
    const file = await this.#store.save(path, text, expected);
    return { file: file === null ? null : this.#toConfigFile(file, this.findings()) };
  }

  /** Calls back when files or findings are not what they were. Returns what takes the callback away again. */
  onChange(callback: (change: ConfigChange) => void): () => void {
    return this.#store.onFiles(() => this.#tellIfChanged(callback));
  }

  /** To be called when the mesh may have something new to say. */
  meshChanged(callback: (change: ConfigChange) => void): void {
    if (this.#seen.mesh !== this.#meshFindings()) this.#tellIfChanged(callback);
  }

  /** @param kind and name narrow it down, letter case aside; `null`: all */
  get(kind: string | null, name: string | null): ResourceView[] {
    const same = (own: string, asked: string | null) => asked === null || own.toLowerCase() === asked.toLowerCase();
    return this.#store
      .all()
      .filter((resource) => same(resource.kind, kind) && same(resource.metadata.name, name))
      .map((resource) => ({
        kind: resource.kind,
        namespace: namespaceOf(resource),
        name: resource.metadata.name,
        yaml: printResource(resource),
      }));
  }

  /** All or nothing: one error and no file is changed. Rejects with INVALID_RESOURCE and every error with its place. */
  async apply(texts: readonly ConfigText[]): Promise<ApplyResult> {
    const parsed = texts.map(({ file, text }) => parseResources(text, file));
    const findings = parsed.flatMap((one) => one.findings);
    const errors = findings.filter(({ severity }) => severity === 'error');
    if (errors.length > 0) throw toInvalid(errors);
    const resources = parsed.flatMap((one) => one.resources);
    if (resources.length === 0) throw new MeshError('INVALID_RESOURCE', 'There is no resource in what was given.');
    await this.#store.put(lastOfEach(resources));
    return { applied: resources.map(describeResource), findings: findings.map(toFindingView) };
  }

  /** Rejects with NOT_FOUND, or AMBIGUOUS_NAME when several namespaces have it and none was given. */
  async delete(kind: string, namespace: string | null, name: string): Promise<ResourceView> {
    const found = this.get(kind, name).filter((one) => namespace === null || one.namespace === namespace);
    const [only, another] = found;
    if (only === undefined) throw new MeshError('NOT_FOUND', `The project has no ${kind} "${name}".`);
    if (another !== undefined) {
      const where = found.map((one) => one.namespace).join(', ');
      throw new MeshError('AMBIGUOUS_NAME', `${only.kind} "${name}" is in several namespaces: ${where}.`);
    }
    await this.#store.remove(only.kind as Resource['kind'], only.namespace, only.name);
    return only;
  }

  #tellIfChanged(callback: (change: ConfigChange) => void): void {
    const findings = this.findings();
    const texts = this.#store.files().map(({ path, text, isBehind }) => [path, text, isBehind]);
    const picture = JSON.stringify([findings, texts]);
    const isSame = picture === this.#seen.picture;
    this.#seen = { mesh: this.#meshFindings(), picture };
    if (isSame) return;
    this.#change += 1;
    const count = (severity: Finding['severity']) => findings.filter((one) => one.severity === severity).length;
    callback({ change: this.#change, errors: count('error'), warnings: count('warning') });
  }

  #locate(file: LoadedFile): LocatedResource[] {
    const known = this.#located.get(file) ?? locateResources(file.text);
    this.#located.set(file, known);
    return known;
  }

  #placedFiles() {
    return this.#store.files().map((file) => ({ ...file, resources: this.#locate(file) }));
  }

  #toConfigFile(file: LoadedFile, findings: readonly FindingView[]): ConfigFile {
    const { path, text, isBehind, appliedText } = file;
    return {
      path,
      text,
      isBehind,
      appliedText: isBehind ? appliedText : null,
      resources: this.#locate(file).map(({ kind, namespace, name, line }) => ({ kind, namespace, name, line })),
      findings: findings.filter((finding) => finding.file === path),
    };
  }
}

/** A resource that comes twice counts as it comes last. */
function lastOfEach(resources: readonly Resource[]): Resource[] {
  return [...new Map(resources.map((resource) => [describeResource(resource), resource])).values()];
}

export function toInvalid(errors: readonly Finding[]): MeshError {
  const [first] = errors;
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
  const issues = errors.map(({ file, line, column, message, hint }) => ({
    path: '',
    message: `${message} ${hint}`,
    ...(file === null ? {} : { file }),
    ...(line === null ? {} : { line }),
    ...(column === null ? {} : { column }),
  }));
  const text = first === undefined ? 'the resources are not valid' : describeFinding(first);
  return new MeshError('INVALID_RESOURCE', `${text}${more}. Nothing was changed.`, { issues });
}

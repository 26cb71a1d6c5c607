import {
  type ApplyResult,
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
import type { FileResourceStore } from './file-resource-store.ts';

/** What people do with the project's resources by hand: look, check, apply, delete, undo. */
export class ConfigDesk {
  readonly #store: FileResourceStore;
  readonly #meshFindings: () => readonly Finding[];

  /** @param meshFindings what does not fit together in the configuration in force */
  constructor(store: FileResourceStore, meshFindings: () => readonly Finding[]) {
    this.#store = store;
    this.#meshFindings = meshFindings;
  }

  /** Of the files, then of the mesh as a whole. */
  findings(): FindingView[] {
    return [...this.#store.findings(), ...this.#meshFindings()].map(toFindingView);
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
}

/** A resource that comes twice counts as it comes last. */
function lastOfEach(resources: readonly Resource[]): Resource[] {
  return [...new Map(resources.map((resource) => [describeResource(resource), resource])).values()];
}

function toInvalid(errors: readonly Finding[]): MeshError {
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

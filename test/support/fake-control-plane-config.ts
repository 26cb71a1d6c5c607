import {
  type ConfigFile,
  type HistoryEntry,
  type ResourceView,
  toFindingView,
} from '../../core/contract/config-shapes.ts';
import { MeshError } from '../../core/contract/errors.ts';
import { parseResources } from '../../core/model/parse-resources.ts';
import { printResource } from '../../core/model/print-resources.ts';
import { describeResource, namespaceOf } from '../../core/model/resource.ts';
import { type FakeHost, found, type HandlersOf } from './fake-control-plane-host.ts';

const routes = `# Ten percent of the charges go to the new version.
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: payments
  namespace: shop
spec:
  hosts:
  - payments
  http:
  - route:
    - destination:
        host: payments
        subset: v1
      weight: 90
    - destination:
        host: payments
        subset: v2
      weight: 10
`;
const peers = `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata:
  name: default
  namespace: shop
spec:
  mtls:
    mode: PERMISSIVE
`;

/** The project's files, in memory; findings are the real ones. */
export class FakeConfig {
  readonly #host: FakeHost;
  readonly #files = new Map<string, string>();
  /** The last text of each file without an error. */
  readonly #good = new Map<string, string>();
  #done: HistoryEntry[] = [];
  #undone: HistoryEntry[] = [];
  #changes = 0;
  #told = 0;

  constructor(host: FakeHost, some: boolean) {
    this.#host = host;
    if (!some) return;
    this.#put('security.yaml', peers);
    this.#put('traffic/shop.payments.yaml', routes);
  }

  handlers(): HandlersOf<'config'> {
    return {
      'config.findings': () => this.#parsed().flatMap(({ findings }) => findings.map(toFindingView)),
      'config.get': ({ kind, name }) =>
        this.#resources().filter((one) => (kind === null || one.kind === kind) && (name === null || one.name === name)),
      'config.apply': ({ texts }) => {
        const parsed = texts.map(({ file, text }) => parseResources(text, file));
        for (const { file, text } of texts) this.#write(`apply ${file}`, file, text);
        return {
          applied: parsed.flatMap(({ resources }) => resources.map(describeResource)),
          findings: parsed.flatMap(({ findings }) => findings.map(toFindingView)),
        };
      },
      'config.delete': ({ kind, name }) => {
        const gone = found(
          this.#resources().find((one) => one.kind === kind && one.name === name),
          `${kind} ${name}`,
        );
        const file = [...this.#files].find(([, text]) => text.includes(`name: ${name}`))?.[0] ?? '';
        this.#write(`remove ${kind} ${gone.namespace}/${name}`, file, null);
        return gone;
      },
      'config.files': () => ({ files: this.files(), findings: [] }),
      'config.save': ({ path, text, expected }) => {
        if ((this.#files.get(path) ?? null) !== expected) throw new MeshError('CONFLICT', `${path} was changed since.`);
        this.#write(`${expected === null ? 'create' : 'edit'} ${path}`, path, text);
        return { file: this.files().find((file) => file.path === path) ?? null };
      },
      'config.import': ({ texts }) => ({
        resources: texts.flatMap(({ file, text }) =>
          parseResources(text, file).resources.map((resource) => ({
            kind: resource.kind,
            namespace: namespaceOf(resource),
            name: resource.metadata.name,
            file,
            path: 'resources.yaml',
            replaces: false,
            yaml: printResource(resource),
          })),
        ),
        skipped: [],
        services: [],
        mapping: [],
        findings: texts.flatMap(({ file, text }) => parseResources(text, file).findings.map(toFindingView)),
        written: [],
      }),
      'config.history': () => ({ done: this.#done.toReversed(), undone: this.#undone.toReversed() }),
      'config.undo': () => this.#step(this.#done, this.#undone, ({ before }) => before),
      'config.redo': () => this.#step(this.#undone, this.#done, ({ after }) => after),
    };
  }

  files(): ConfigFile[] {
    return this.#parsed()
      .map(({ path, text, resources, findings }) => ({
        path,
        text,
        isBehind: findings.some(({ severity }) => severity === 'error'),
        appliedText: findings.some(({ severity }) => severity === 'error') ? (this.#good.get(path) ?? '') : null,
        resources: resources.map((resource) => ({
          kind: resource.kind,
          namespace: namespaceOf(resource),
          name: resource.metadata.name,
          line: text.slice(0, text.indexOf(`name: ${resource.metadata.name}`)).split('\n').length,
        })),
        findings: findings.map(toFindingView),
      }))
      .toSorted((a, b) => (a.path < b.path ? -1 : 1));
  }

  /** Somebody edits a file on disk. */
  editOnDisk(path: string, text: string): void {
    this.#write('changed on disk', path, text);
  }

  #parsed() {
    return [...this.#files].map(([path, text]) => ({ path, text, ...parseResources(text, path) }));
  }

  #resources(): ResourceView[] {
    return this.#parsed().flatMap(({ resources }) =>
      resources.map((resource) => ({
        kind: resource.kind,
        namespace: namespaceOf(resource),
        name: resource.metadata.name,
        yaml: printResource(resource),
      })),
    );
  }

  #write(label: string, path: string, after: string | null): void {
    const before = this.#files.get(path) ?? null;
    this.#changes += 1;
    this.#done.push({ id: this.#changes, atMs: this.#host.nowMs(), label, files: [{ path, before, after }] });
    this.#undone = [];
    this.#put(path, after);
  }

  #put(path: string, text: string | null): void {
    if (text === null) this.#files.delete(path);
    else this.#files.set(path, text);
    if (text !== null && !parseResources(text, path).findings.some(({ severity }) => severity === 'error'))
      this.#good.set(path, text);
    this.#host.changed();
    const found = this.files().flatMap(({ findings }) => findings);
    this.#told += 1;
    this.#host.emit('config', {
      change: this.#told,
      errors: found.filter(({ severity }) => severity === 'error').length,
      warnings: found.filter(({ severity }) => severity === 'warning').length,
    });
  }

  #step(
    from: HistoryEntry[],
    to: HistoryEntry[],
    textOf: (file: HistoryEntry['files'][number]) => string | null,
  ): HistoryEntry {
    const entry = from.pop();
    if (entry === undefined) throw new MeshError('NOT_FOUND', 'There is no change to take back or to bring back.');
    to.push(entry);
    for (const file of entry.files) this.#put(file.path, textOf(file));
    return entry;
  }
}

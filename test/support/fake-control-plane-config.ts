import { type HistoryEntry, type ResourceView, toFindingView } from '../../core/contract/config-shapes.ts';
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
  #done: HistoryEntry[] = [];
  #undone: HistoryEntry[] = [];
  #changes = 0;

  constructor(host: FakeHost, some: boolean) {
    this.#host = host;
    if (!some) return;
    this.#files.set('security.yaml', peers);
    this.#files.set('traffic/shop.payments.yaml', routes);
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
      'config.history': () => ({ done: this.#done.toReversed(), undone: this.#undone.toReversed() }),
      'config.undo': () => this.#step(this.#done, this.#undone, ({ before }) => before),
      'config.redo': () => this.#step(this.#undone, this.#done, ({ after }) => after),
    };
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
    this.#host.changed();
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

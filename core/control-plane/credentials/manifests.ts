/** Kubernetes manifests of a project that hold certificates: Secrets, and ConfigMaps with CAs. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';

export interface Manifest {
  readonly kind: 'Secret' | 'ConfigMap';
  readonly namespace: string;
  readonly name: string;
  readonly fields: ReadonlyMap<string, string>;
}

const manifestDocument = /^kind:\s*["']?(?:Secret|ConfigMap)["']?\s*$/m;
const maxFiles = 1_000;

/** Reads them again and again; of a file that is no YAML at the moment it has what was there before. */
export class ManifestReader {
  readonly #dir: string;
  #before = new Map<string, readonly Manifest[]>();

  constructor(dir: string) {
    this.#dir = dir;
  }

  async read(): Promise<readonly Manifest[]> {
    const now = new Map<string, readonly Manifest[]>();
    for (const path of await listYaml(this.#dir)) {
      const text = await readFile(path, 'utf8').catch(() => '');
      const found = manifestDocument.test(text) ? parse(text) : [];
      now.set(path, found ?? this.#before.get(path) ?? []);
    }
    this.#before = now;
    return [...now.values()].flat();
  }
}

/** `null`: some of it is no YAML. */
function parse(text: string): readonly Manifest[] | null {
  const parsed = parseAllDocuments(text);
  const documents = Array.isArray(parsed) ? parsed : [];
  if (documents.some(({ errors }) => errors.length > 0)) return null;
  return documents.flatMap((document) => toManifest(document.toJS() as unknown) ?? []);
}

function toManifest(value: unknown): Manifest | null {
  if (typeof value !== 'object' || value === null) return null;
  const { kind, metadata, data, stringData } = value as Readonly<Record<string, unknown>>;
  if ((kind !== 'Secret' && kind !== 'ConfigMap') || typeof metadata !== 'object' || metadata === null) return null;
  const { name, namespace = 'default' } = metadata as { readonly name?: unknown; readonly namespace?: unknown };
  const fields = new Map<string, string>();
  for (const [key, text] of entriesOf(data))
    fields.set(key, kind === 'Secret' ? Buffer.from(text, 'base64').toString('utf8') : text);
  for (const [key, text] of entriesOf(stringData)) fields.set(key, text);
  return typeof name === 'string' ? { kind, name, namespace: String(namespace), fields } : null;
}

function entriesOf(value: unknown): [string, string][] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, text]): [string, string][] =>
    typeof text === 'string' ? [[key, text]] : [],
  );
}

/** YAML files of the project that may hold manifests; not deep, and no hidden folders. */
async function listYaml(root: string): Promise<string[]> {
  const found: string[] = [];
  const walk = async (dir: string, depth: number): Promise<void> => {
    const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      if (entry.name.startsWith('.') || entry.name === 'node_modules' || found.length >= maxFiles) continue;
      const path = join(dir, entry.name);
      if (entry.isDirectory() && depth < 4) await walk(path, depth + 1);
      else if (entry.isFile() && /\.ya?ml$/.test(entry.name)) found.push(path);
    }
  };
  await walk(root, 1);
  return found;
}

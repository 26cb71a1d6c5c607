/**
 * Certificates and keys that Gateways name, from the project: `secrets/<name>.crt` with `.key` (and `.ca.crt`, of clients),
 * or Kubernetes manifests of kind Secret (for CAs alone also ConfigMap) in its YAML files. Keys are read when a configuration
 * leaves for a gateway, are in memory only, and are in no snapshot, event or export.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { type FSWatcher, watch } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { GatewayCertificate } from '../../model/gateway-config.ts';
import type { Logger } from '../../shared/logger.ts';
import { filesPrefix } from '../../snapshot/gateways/server-tls.ts';
import { configMapPrefix } from '../../snapshot/policies/upstream-tls.ts';

export type Credential = Omit<GatewayCertificate, 'name'>;

export interface CredentialsOptions {
  readonly dir: string;
  readonly log: Logger;
}

const folder = 'secrets';
const lookEveryMs = 2_000;
const manifestDocument = /^kind:\s*["']?(?:Secret|ConfigMap)["']?\s*$/m;
const maxFiles = 1_000;

interface Manifest {
  readonly kind: 'Secret' | 'ConfigMap';
  readonly namespace: string;
  readonly name: string;
  readonly fields: ReadonlyMap<string, string>;
}

export class Credentials {
  readonly #options: CredentialsOptions;
  #known = new Map<string, Credential>();
  /** By what names them; see `findRoots`. */
  #roots = new Map<string, string>();
  #text = '';
  #timer: NodeJS.Timeout | null = null;
  #watcher: FSWatcher | null = null;
  #onChange: () => void = () => undefined;
  /** Files that Gateways name. */
  readonly #files = new Set<string>();
  readonly #warned = new Set<string>();
  /** Somebody has asked for one: until then nothing is looked at. */
  #isNeeded = false;

  constructor(options: CredentialsOptions) {
    this.#options = options;
  }

  /** Called when they are others than before. */
  set onChange(callback: () => void) {
    this.#onChange = callback;
  }

  /** Reads what there is, and begins to watch it. */
  async start(): Promise<void> {
    await this.#load();
    this.#timer = setInterval(() => this.#isNeeded && void this.look(), lookEveryMs);
    this.#timer.unref();
    try {
      this.#watcher = watch(join(this.#options.dir, folder), { persistent: false }, () => void this.look());
      this.#watcher.on('error', () => this.#watcher?.close());
    } catch {
      this.#watcher = null; // there is no such folder yet: looking every two seconds remains
    }
  }

  /** Reads again, and tells when something is different. */
  async look(): Promise<void> {
    const before = this.#text;
    await this.#load();
    if (this.#text !== before) this.#onChange();
  }

  /** `namespace/name` of a secret (of any namespace, if this one has none), or `files:certificate|key|ca|crl`; `null`: there is none. */
  find(name: string): Credential | null {
    this.#isNeeded = true;
    if (name.startsWith(filesPrefix)) return this.#known.get(name) ?? null;
    const bare = name.slice(name.indexOf('/') + 1);
    return this.#known.get(name) ?? this.#known.get(`/${bare}`) ?? this.#known.get(`*/${bare}`) ?? null;
  }

  /** CAs, by `configmap:namespace/name` or `namespace/name` of a Secret that need have nothing else; `null`: there are none. */
  findRoots(name: string): string | null {
    this.#isNeeded = true;
    const known = this.#roots.get(name);
    if (known !== undefined || name.startsWith(configMapPrefix)) return known ?? null;
    return this.find(name)?.clientCaPem ?? null;
  }

  /** The files that a Gateway names, relative to the project; they are read with everything else from now on. */
  async include(name: string): Promise<void> {
    if (!name.startsWith(filesPrefix) || this.#files.has(name)) return;
    this.#files.add(name);
    await this.look();
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#watcher?.close();
  }

  async #load(): Promise<void> {
    const found = new Map<string, Credential>();
    const add = (name: string, credential: Credential | null) => {
      const problem = credential === null ? 'is not complete' : problemOf(credential);
      if (credential !== null && problem === null) {
        if (!found.has(name)) found.set(name, credential);
      } else this.#warn(`credential ${name.replace(/^\*?\//, '')} ${problem}`);
    };
    await this.#loadFolder(add);
    const manifests = await this.#readManifests();
    const secrets = manifests.filter(({ kind }) => kind === 'Secret');
    for (const secret of secrets) {
      const credential = fromSecret(secret.fields);
      if (credential === null) continue;
      add(`${secret.namespace}/${secret.name}`, credential);
      if (!found.has(`*/${secret.name}`)) add(`*/${secret.name}`, credential);
    }
    for (const name of this.#files) {
      const credential = await this.#readFiles(name);
      if (credential !== null) add(name, credential);
    }
    this.#known = withSeparateCas(found, casOf(secrets));
    this.#roots = rootsOf(manifests);
    this.#text = JSON.stringify([...this.#known, ...this.#roots]);
  }

  #warn(message: string): void {
    if (this.#warned.has(message)) return;
    this.#warned.add(message);
    this.#options.log.warn(message);
  }

  async #loadFolder(add: (name: string, credential: Credential | null) => void): Promise<void> {
    const dir = join(this.#options.dir, folder);
    const names = (await readdir(dir).catch(() => [])).filter((name) => name.endsWith('.key'));
    for (const file of names) {
      const name = file.slice(0, -'.key'.length);
      const [keyPem, chainPem, ca] = await Promise.all(
        [file, `${name}.crt`, `${name}.ca.crt`].map((path) => readFile(join(dir, path), 'utf8').catch(() => null)),
      );
      const isWhole = keyPem != null && chainPem != null;
      add(`/${name}`, isWhole ? { keyPem, chainPem, ...(ca == null ? {} : { clientCaPem: ca }) } : null);
    }
  }

  async #readManifests(): Promise<Manifest[]> {
    const manifests: Manifest[] = [];
    for (const path of await listYaml(this.#options.dir)) {
      const text = await readFile(path, 'utf8').catch(() => '');
      if (!manifestDocument.test(text)) continue;
      const documents = parseAllDocuments(text);
      for (const document of Array.isArray(documents) ? documents : []) {
        if (document.errors.length > 0) continue;
        const manifest = toManifest(document.toJS() as unknown);
        if (manifest !== null) manifests.push(manifest);
      }
    }
    return manifests;
  }

  async #readFiles(name: string): Promise<Credential | null> {
    const [certificate = '', key = '', ca = '', crl = ''] = name.slice(filesPrefix.length).split('|');
    const read = async (path: string) => {
      const inside = resolve(this.#options.dir, isAbsolute(path) ? `.${path}` : path);
      const isOurs = path !== '' && !relative(this.#options.dir, inside).startsWith('..');
      return isOurs ? await readFile(inside, 'utf8').catch(() => null) : null;
    };
    const [chainPem, keyPem, clientCaPem, clientCrlPem] = await Promise.all([certificate, key, ca, crl].map(read));
    if (chainPem == null || keyPem == null) return null;
    return {
      ...{ chainPem, keyPem },
      ...(clientCaPem == null ? {} : { clientCaPem }),
      ...(clientCrlPem == null ? {} : { clientCrlPem }),
    };
  }
}

/** Why a certificate and key are of no use together; `null`: they are. Says nothing of their content. */
function problemOf({ chainPem, keyPem }: Credential): string | null {
  try {
    const certificate = new X509Certificate(chainPem);
    return certificate.checkPrivateKey(createPrivateKey(keyPem)) ? null : 'has a key that is not its certificate’s';
  } catch {
    return 'cannot be read: it needs a certificate and a key in PEM';
  }
}

/** CAs in secrets of their own, `<name>-cacert`. */
function casOf(secrets: readonly Manifest[]): ReadonlyMap<string, string> {
  const cas = new Map<string, string>();
  for (const { name, fields } of secrets) {
    const ca = fields.get('ca.crt') ?? fields.get('cacert');
    if (ca !== undefined && name.endsWith('-cacert')) cas.set(name.slice(0, -'-cacert'.length), ca);
  }
  return cas;
}

function rootsOf(manifests: readonly Manifest[]): Map<string, string> {
  const roots = new Map<string, string>();
  for (const { kind, namespace, name, fields } of manifests) {
    const isMap = kind === 'ConfigMap';
    const ca = fields.get('ca.crt') ?? (isMap ? undefined : fields.get('cacert'));
    if (ca !== undefined) roots.set(`${isMap ? configMapPrefix : ''}${namespace}/${name}`, ca);
  }
  return roots;
}

function withSeparateCas(found: Map<string, Credential>, cas: ReadonlyMap<string, string>): Map<string, Credential> {
  const complete = new Map<string, Credential>();
  for (const [name, credential] of found) {
    const ca = cas.get(name.slice(name.indexOf('/') + 1));
    complete.set(
      name,
      ca === undefined || credential.clientCaPem !== undefined ? credential : { ...credential, clientCaPem: ca },
    );
  }
  return complete;
}

/** Of type kubernetes.io/tls (`tls.crt`, `tls.key`, `ca.crt`), or generic as in Istio (`cert`, `key`, `cacert`). */
function fromSecret(fields: ReadonlyMap<string, string>): Credential | null {
  const chainPem = fields.get('tls.crt') ?? fields.get('cert');
  const keyPem = fields.get('tls.key') ?? fields.get('key');
  const clientCaPem = fields.get('ca.crt') ?? fields.get('cacert');
  const clientCrlPem = fields.get('ca.crl') ?? fields.get('crl');
  if (chainPem === undefined || keyPem === undefined) return null;
  return {
    ...{ chainPem, keyPem },
    ...(clientCaPem === undefined ? {} : { clientCaPem }),
    ...(clientCrlPem === undefined ? {} : { clientCrlPem }),
  };
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

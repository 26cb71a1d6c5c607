/**
 * `credentials/`: certificates and keys of the project, for gateways and for callers that begin TLS.
 *
 *   credential  certificate and key, with the CA and the revocations of clients: `secrets/<name>.crt`, `.key`, `.ca.crt`, `.crl`,
 *               a Secret in a YAML file, or files that a Gateway names
 *   roots       CAs alone: of a Secret, or of a ConfigMap
 *
 * They are read when a configuration leaves for who needs them, are in memory only, and are in no snapshot, event or export.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { type FSWatcher, watch } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { GatewayCertificate } from '../../model/gateway-config.ts';
import type { Logger } from '../../shared/logger.ts';
import { filesPrefix } from '../../snapshot/gateways/server-tls.ts';
import { configMapPrefix, credentialFolder } from '../../snapshot/policies/upstream-tls.ts';
import { type Manifest, ManifestReader } from './manifests.ts';
import { pathInProject } from './project-file.ts';

export type Credential = Omit<GatewayCertificate, 'name'>;

export interface CredentialsOptions {
  readonly dir: string;
  readonly log: Logger;
}

const lookEveryMs = 2_000;
const filePath = new RegExp(`^${credentialFolder}/(.+?)\\.(ca\\.crt|crt|key|crl)$`);
const incomplete = 'is not complete: it needs a certificate and its key';

type Parts = { readonly [Key in keyof Credential]: string | null | undefined };

export class Credentials {
  readonly #options: CredentialsOptions;
  readonly #manifests: ManifestReader;
  #known = new Map<string, Credential>();
  /** What is wrong with some that are there, by their names. */
  #problems = new Map<string, string>();
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
    this.#manifests = new ManifestReader(options.dir);
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
      const folder = join(this.#options.dir, credentialFolder);
      this.#watcher = watch(folder, { persistent: false }, () => void this.look());
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
    for (const key of keysOf(name)) {
      const known = this.#known.get(key);
      if (known !== undefined) return known;
    }
    return null;
  }

  /** Why what is there now is not used, in words that follow its name; what `find` gives is older then. `null`: it is. */
  problemOf(name: string): string | null {
    this.#isNeeded = true;
    const key = keysOf(name).find((one) => this.#problems.has(one) || this.#known.has(one));
    return key === undefined ? null : (this.#problems.get(key) ?? null);
  }

  /** CAs, by `configmap:namespace/name` or `namespace/name` of a Secret that need have nothing else; `null`: there are none. */
  findRoots(name: string): string | null {
    this.#isNeeded = true;
    const known = this.#roots.get(name);
    if (known !== undefined || name.startsWith(configMapPrefix)) return known ?? null;
    return this.find(name)?.clientCaPem ?? this.#roots.get(`*/${bareOf(name)}`) ?? null;
  }

  /** What a path in the folder `secrets` stands for where the file is not there, or a `configmap:` name; `null`: nothing. */
  textOf(path: string): string | null {
    if (path.startsWith(configMapPrefix)) return this.findRoots(path);
    const [, name, part] = filePath.exec(path) ?? [];
    if (name === undefined) return null;
    if (part === 'ca.crt') return this.findRoots(name);
    const found = this.find(name);
    if (part === 'crl') return found?.clientCrlPem ?? null;
    return (part === 'key' ? found?.keyPem : found?.chainPem) ?? null;
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

  /** One that is broken or half there now stays what it was; one that is gone is gone. */
  async #load(): Promise<void> {
    const found = new Map<string, Credential>();
    const problems = new Map<string, string>();
    const add = (name: string, parts: Parts) => {
      if (found.has(name) || (parts.chainPem == null && parts.keyPem == null)) return;
      const credential = toCredential(parts);
      const problem = credential === null ? incomplete : problemOf(credential);
      const usable = problem === null ? credential : (this.#known.get(name) ?? null);
      if (usable !== null) found.set(name, usable);
      if (problem === null) return;
      problems.set(name, problem);
      this.#warn(`credential ${name.replace(/^\*?\//, '')} ${problem}`);
    };
    await this.#loadFolder(add);
    const manifests = await this.#manifests.read();
    const secrets = manifests.filter(({ kind }) => kind === 'Secret');
    for (const secret of secrets) {
      add(`${secret.namespace}/${secret.name}`, partsOf(secret));
      add(`*/${secret.name}`, partsOf(secret));
    }
    for (const name of this.#files) add(name, await this.#readFiles(name));
    this.#known = withSeparateCas(found, casOf(secrets));
    this.#problems = problems;
    this.#roots = rootsOf(manifests);
    this.#text = JSON.stringify([...this.#known, ...this.#roots, ...problems]);
  }

  #warn(message: string): void {
    if (this.#warned.has(message)) return;
    this.#warned.add(message);
    this.#options.log.warn(message);
  }

  async #loadFolder(add: (name: string, parts: Parts) => void): Promise<void> {
    const files = await readdir(join(this.#options.dir, credentialFolder)).catch(() => []);
    const names = new Set(files.flatMap((file) => (file.endsWith('.key') ? [file.slice(0, -'.key'.length)] : [])));
    // Its key may be away for a moment; a certificate that never had one is somebody else's.
    for (const name of this.#known.keys()) if (name.startsWith('/')) names.add(name.slice(1));
    for (const name of names) {
      const read = (ending: string) => this.#read(`${credentialFolder}/${name}.${ending}`);
      const [keyPem, chainPem, clientCaPem, clientCrlPem] = await Promise.all(
        ['key', 'crt', 'ca.crt', 'crl'].map(read),
      );
      add(`/${name}`, { keyPem, chainPem, clientCaPem, clientCrlPem } as Parts);
    }
  }

  async #readFiles(name: string): Promise<Parts> {
    const [certificate = '', key = '', ca = '', crl = ''] = name.slice(filesPrefix.length).split('|');
    const read = (path: string) => (path === '' ? null : this.#read(path));
    const [chainPem, keyPem, clientCaPem, clientCrlPem] = await Promise.all([certificate, key, ca, crl].map(read));
    return { chainPem, keyPem, clientCaPem, clientCrlPem } as Parts;
  }

  async #read(name: string): Promise<string | null> {
    const path = pathInProject(this.#options.dir, name);
    return path === null ? null : await readFile(path, 'utf8').catch(() => null);
  }
}

/** Under what a credential may be known, in the order in which that counts. */
function keysOf(name: string): string[] {
  return name.startsWith(filesPrefix) ? [name] : [name, `/${bareOf(name)}`, `*/${bareOf(name)}`];
}

const bareOf = (name: string) => name.slice(name.indexOf('/') + 1);

function toCredential({ chainPem, keyPem, clientCaPem, clientCrlPem }: Parts): Credential | null {
  if (chainPem == null || keyPem == null) return null;
  return {
    ...{ chainPem, keyPem },
    ...(clientCaPem == null ? {} : { clientCaPem }),
    ...(clientCrlPem == null ? {} : { clientCrlPem }),
  };
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

/** Of type kubernetes.io/tls (`tls.crt`, `tls.key`, `ca.crt`), or generic as in Istio (`cert`, `key`, `cacert`). */
function partsOf({ fields }: Manifest): Parts {
  return {
    chainPem: fields.get('tls.crt') ?? fields.get('cert'),
    keyPem: fields.get('tls.key') ?? fields.get('key'),
    clientCaPem: fields.get('ca.crt') ?? fields.get('cacert'),
    clientCrlPem: fields.get('ca.crl') ?? fields.get('crl'),
  };
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
    if (ca === undefined) continue;
    roots.set(`${isMap ? configMapPrefix : ''}${namespace}/${name}`, ca);
    if (!isMap && !roots.has(`*/${name}`)) roots.set(`*/${name}`, ca);
  }
  return roots;
}

function withSeparateCas(found: Map<string, Credential>, cas: ReadonlyMap<string, string>): Map<string, Credential> {
  const complete = new Map<string, Credential>();
  for (const [name, credential] of found) {
    const ca = cas.get(bareOf(name));
    complete.set(
      name,
      ca === undefined || credential.clientCaPem !== undefined ? credential : { ...credential, clientCaPem: ca },
    );
  }
  return complete;
}

/**
 * The CA on disk: `<stateDir>/ca/state.json`, one file so that root, key and a rotation under way change together. The
 * file is 0600 in a folder 0700 and is replaced atomically. Keys stand in it as PEM, or sealed when a `KeyProtector` is
 * given; which of the two is written with each key, so that a protector may come and go.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { chmod, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { MeshError } from '../../contract/errors.ts';

/** Seals text with a key that the operating system keeps (Electron's safeStorage). */
export interface KeyProtector {
  protect(pem: string): string;
  unprotect(data: string): string;
}

const StoredKey = z.discriminatedUnion('form', [
  z.strictObject({ form: z.literal('pem'), data: z.string() }),
  z.strictObject({ form: z.literal('sealed'), data: z.string() }),
]);
const StoredRoot = z.strictObject({ certificatePem: z.string(), key: StoredKey });
const StoredState = z.strictObject({
  formatVersion: z.literal(1),
  trustDomain: z.string(),
  active: StoredRoot,
  /** A root that is being introduced (every sidecar learns it before it signs). */
  next: StoredRoot.nullable(),
  /** Earlier roots that are still trusted until every workload has a certificate of the active one. */
  retiring: z.array(z.string()),
});

export interface RootKeyPair {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

export interface CaState {
  readonly trustDomain: string;
  readonly active: RootKeyPair;
  readonly next: RootKeyPair | null;
  readonly retiring: readonly string[];
}

const folderOf = (stateDir: string) => join(stateDir, 'ca');
const fileOf = (stateDir: string) => join(folderOf(stateDir), 'state.json');

/** `null` when there is no CA yet. Rejects with IDENTITY_FAILED when there is one that cannot be read or unsealed. */
export async function readCaState(stateDir: string, protector: KeyProtector | null): Promise<CaState | null> {
  const file = fileOf(stateDir);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new MeshError('IDENTITY_FAILED', `The certificate authority in ${file} cannot be read.`, { cause: error });
  }
  const parsed = StoredState.safeParse(parseJson(text));
  if (!parsed.success) throw toDamaged(file, parsed.error);
  await chmod(file, 0o600);
  const unseal = (root: z.infer<typeof StoredRoot>): RootKeyPair => ({
    certificatePem: root.certificatePem,
    privateKeyPem: unsealKey(root.key, protector, file),
  });
  const { trustDomain, active, next, retiring } = parsed.data;
  const state = { trustDomain, active: unseal(active), next: next === null ? null : unseal(next), retiring };
  requireUsable(state, file);
  return state;
}

/** A root that cannot sign would only be noticed by the first sidecar. */
function requireUsable({ active, next, retiring }: CaState, file: string): void {
  try {
    for (const root of next === null ? [active] : [active, next]) {
      if (!new X509Certificate(root.certificatePem).checkPrivateKey(createPrivateKey(root.privateKeyPem)))
        throw new Error('the key is not that of the certificate');
    }
    for (const pem of retiring) new X509Certificate(pem);
  } catch (error) {
    throw toDamaged(file, error);
  }
}

function toDamaged(file: string, cause: unknown): MeshError {
  return new MeshError(
    'IDENTITY_FAILED',
    `${file} is damaged. Restore it from a backup, or remove the folder: a new root is made and everything must be attached again.`,
    { cause },
  );
}

/** Replaces the CA on disk atomically; survives a crash at any point with the old or the new state. */
export async function writeCaState(stateDir: string, state: CaState, protector: KeyProtector | null): Promise<void> {
  const seal = (root: RootKeyPair): z.infer<typeof StoredRoot> => ({
    certificatePem: root.certificatePem,
    key:
      protector === null
        ? { form: 'pem', data: root.privateKeyPem }
        : { form: 'sealed', data: protector.protect(root.privateKeyPem) },
  });
  const stored: z.infer<typeof StoredState> = {
    formatVersion: 1,
    trustDomain: state.trustDomain,
    active: seal(state.active),
    next: state.next === null ? null : seal(state.next),
    retiring: [...state.retiring],
  };
  try {
    await mkdir(folderOf(stateDir), { recursive: true, mode: 0o700 });
    await writeAtomically(fileOf(stateDir), `${JSON.stringify(stored, null, 2)}\n`);
  } catch (error) {
    const message = `The certificate authority cannot be written to ${stateDir}: ${(error as Error).message}`;
    throw new MeshError('PROJECT_UNWRITABLE', message, { cause: error });
  }
}

/** Writes a private file (0600) so that a reader sees the old or the new content, never a part. */
export async function writeAtomically(file: string, text: string): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    const handle = await open(temporary, 'w', 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

function unsealKey(key: z.infer<typeof StoredKey>, protector: KeyProtector | null, file: string): string {
  if (key.form === 'pem') return key.data;
  const help =
    'Open the project with the desktop application as the same user, or remove the folder: a new root is made and everything must be attached again.';
  if (protector === null) {
    throw new MeshError('IDENTITY_FAILED', `The key in ${file} is sealed by the operating system's key store. ${help}`);
  }
  try {
    return protector.unprotect(key.data);
  } catch (error) {
    throw new MeshError(
      'IDENTITY_FAILED',
      `The operating system's key store cannot unseal the key in ${file}. ${help}`,
      {
        cause: error,
      },
    );
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return { unreadable: String(error) };
  }
}

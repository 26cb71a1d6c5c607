import { safeStorage } from 'electron';
import type { KeyProtector } from '../../core/control-plane/identity/ca-files.ts';

/** True where the operating system keeps the key; Linux without a keyring only has Chromium's fixed password. */
function isSafe(): boolean {
  if (!safeStorage.isEncryptionAvailable()) return false;
  return process.platform !== 'linux' || safeStorage.getSelectedStorageBackend() !== 'basic_text';
}

/** Seals the CA's key with the operating system's keychain; `null` where there is none: the file's mode protects it. */
export function createKeyProtector(): KeyProtector | null {
  if (!isSafe()) return null;
  return {
    protect: (pem) => safeStorage.encryptString(pem).toString('base64'),
    unprotect: (data) => safeStorage.decryptString(Buffer.from(data, 'base64')),
  };
}

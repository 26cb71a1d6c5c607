import { createContext, type ReactNode, use } from 'react';
import { useStore } from 'zustand';
import type { ContractClient } from '../../core/contract/client.ts';
import { MeshError } from '../../core/contract/errors.ts';
import type { Platform } from '../client/transport.ts';
import type { MeshData, MeshFeed } from './mesh-store.ts';
import { showToast } from './toasts.ts';

export interface MeshAccess {
  readonly client: ContractClient;
  readonly feed: MeshFeed;
  readonly platform: Platform;
}

const MeshContext = createContext<MeshAccess | null>(null);

export function MeshProvider({ access, children }: { access: MeshAccess; children: ReactNode }) {
  return <MeshContext value={access}>{children}</MeshContext>;
}

export function useAccess(): MeshAccess {
  const access = use(MeshContext);
  if (!access) throw new Error('a view was rendered outside MeshProvider');
  return access;
}

/** A part of the mesh; renders again when that part changes. */
export function useMesh<T>(select: (data: MeshData) => T): T {
  return useStore(useAccess().feed.store, select);
}

/** Runs something the user asked for; a failure becomes a message that says what to do. Resolves to `null` then. */
export async function attempt<T>(what: string, action: () => Promise<T>): Promise<T | null> {
  try {
    return await action();
  } catch (error) {
    showToast('error', `${what}: ${messageOf(error)}`, error instanceof MeshError ? hintOf(error) : null);
    return null;
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function hintOf(error: MeshError): string {
  const issues = error.issues.map(({ path, message }) => `${path}: ${message}`);
  return [...issues, error.hint].join('\n');
}

/**
 * What was typed and not saved yet, by path. Outlives the view, so that looking elsewhere loses nothing, and the window:
 * the browser's storage of this machine holds the drafts of each project until they are saved or dropped.
 */
import { z } from 'zod';
import { create } from 'zustand';
import type { FindingView } from '../../../core/contract/config-shapes.ts';
import type { Draft } from './edited-files.ts';

const StoredDrafts = z.record(z.string(), z.strictObject({ text: z.string(), base: z.string().nullable() }));

export const useDrafts = create<{ readonly drafts: Readonly<Record<string, Draft>> }>(() => ({ drafts: {} }));

/** @param base the file as it is on disk, when the edit begins with this; a draft that is there keeps its own */
export function editDraft(path: string, text: string, base: string | null): void {
  useDrafts.setState(({ drafts }) => {
    const draft = drafts[path];
    if (draft === undefined && text === base) return { drafts };
    const next = { text, base: draft === undefined ? base : draft.base, findings: draft?.findings ?? null };
    if (next.text === next.base && next.base === base) return { drafts: without(drafts, path) };
    return { drafts: { ...drafts, [path]: next } };
  });
}

export function setDraftFindings(path: string, text: string, findings: readonly FindingView[]): void {
  useDrafts.setState(({ drafts }) => {
    const draft = drafts[path];
    return draft === undefined || draft.text !== text
      ? { drafts }
      : { drafts: { ...drafts, [path]: { ...draft, findings } } };
  });
}

/** The file on disk is `base` now, and that is known to whoever edits. */
export function rebaseDraft(path: string, base: string | null): void {
  useDrafts.setState(({ drafts }) => {
    const draft = drafts[path];
    if (draft === undefined) return { drafts };
    return { drafts: draft.text === base ? without(drafts, path) : { ...drafts, [path]: { ...draft, base } } };
  });
}

export function dropDraft(path: string): void {
  useDrafts.setState(({ drafts }) => ({ drafts: without(drafts, path) }));
}

function without(drafts: Readonly<Record<string, Draft>>, path: string): Readonly<Record<string, Draft>> {
  return Object.fromEntries(Object.entries(drafts).filter(([other]) => other !== path));
}

/**
 * Brings the drafts of a project back and stores every change from now on; what is typed already wins.
 *
 * @param onFull called each time a change could not be stored
 * @returns ends it
 */
export function keepDrafts(projectDir: string, storage: Storage, onFull: () => void): () => void {
  const key = `meshdesk.drafts:${projectDir}`;
  const stored = Object.entries(readStored(storage.getItem(key)));
  const restored = stored.map(([path, draft]): [string, Draft] => [path, { ...draft, findings: null }]);
  useDrafts.setState(({ drafts }) => ({ drafts: { ...Object.fromEntries(restored), ...drafts } }));
  return useDrafts.subscribe(({ drafts }, before) => {
    if (drafts === before.drafts) return;
    const texts = Object.entries(drafts).map(([path, { text, base }]) => [path, { text, base }]);
    try {
      if (texts.length === 0) storage.removeItem(key);
      else storage.setItem(key, JSON.stringify(Object.fromEntries(texts)));
    } catch {
      onFull();
    }
  });
}

function readStored(text: string | null): z.infer<typeof StoredDrafts> {
  if (text === null) return {};
  try {
    return StoredDrafts.safeParse(JSON.parse(text)).data ?? {};
  } catch {
    // Not ours, or cut off: there is nothing in it to bring back.
    return {};
  }
}

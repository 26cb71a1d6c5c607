import { useCallback, useEffect, useMemo, useState } from 'react';
import { flushSync } from 'react-dom';
import type { ConfigFiles, HistoryEntry } from '../../../core/contract/config-shapes.ts';
import { MeshError } from '../../../core/contract/errors.ts';
import { attempt, useAccess, useMesh } from '../../state/mesh-context.tsx';
import { offerUndo } from '../../state/offer-undo.ts';
import { showToast } from '../../state/toasts.ts';
import { type Query, useQuery } from '../../state/use-query.ts';
import { dropDraft, keepDrafts, rebaseDraft, useDrafts } from './drafts.ts';
import { type EditedFile, mergeDrafts } from './edited-files.ts';

export interface ConfigEditing {
  readonly query: Query<ConfigFiles>;
  readonly files: readonly EditedFile[];
  /** Path of the file whose save was refused, because somebody else wrote it. */
  readonly conflict: string | null;
  readonly busy: boolean;
  save(file: EditedFile): Promise<void>;
  /** Writes over what somebody else wrote. */
  overwrite(file: EditedFile): Promise<void>;
  remove(file: EditedFile): Promise<void>;
  closeConflict(): void;
}

/** The project's files, what was typed in them, and saving it. */
export function useConfig(): ConfigEditing {
  const { client, platform } = useAccess();
  const change = useMesh((data) => data.configChange);
  const drafts = useDrafts((state) => state.drafts);
  const query = useQuery(`files#${change}`, () => client.call('config.files', {}));
  const [conflict, setConflict] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const files = useMemo(() => mergeDrafts(query.data?.files ?? [], drafts), [query.data, drafts]);
  const isUnsaved = files.some((file) => file.isUnsaved);

  useEffect(() => {
    if (!isUnsaved || platform.kind !== 'browser') return undefined;
    const warn = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener('beforeunload', warn);
    return () => window.removeEventListener('beforeunload', warn);
  }, [isUnsaved, platform.kind]);

  const projectDir = useMesh((data) => data.status?.project.dir ?? null);
  useEffect(() => {
    if (projectDir === null) return undefined;
    const warn = () => showToast('error', 'What you type is not kept', 'The storage is full: save your changes.');
    return keepDrafts(projectDir, localStorage, warn);
  }, [projectDir]);

  const { data, put, reload } = query;
  const write = useCallback(
    async (path: string, text: string | null, expected: string | null) => {
      setBusy(true);
      const answer = await attempt(text === null ? 'The file was not removed' : 'The file was not saved', async () => {
        try {
          return await client.call('config.save', { path, text, expected });
        } catch (error) {
          if (!(error instanceof MeshError) || error.code !== 'CONFLICT') throw error;
          setConflict(path);
          reload();
          return null;
        }
      });
      setBusy(false);
      if (answer === null) return false;
      setConflict(null);
      // The file as it is now is shown before the event of its change arrives, and before the draft goes: the editor
      // would show the old text for a moment.
      const others = (data?.files ?? []).filter((file) => file.path !== path);
      const files = answer.file ? [...others, answer.file] : others;
      flushSync(() => put({ files, findings: data?.findings ?? [] }));
      if (text === null) dropDraft(path);
      else rebaseDraft(path, text);
      return true;
    },
    [client, data, put, reload],
  );

  return {
    query,
    files,
    conflict,
    busy,
    async save({ path, text }) {
      await write(path, text, useDrafts.getState().drafts[path]?.base ?? null);
    },
    async overwrite({ path, text, saved }) {
      await write(path, text, saved);
    },
    async remove({ path, saved }) {
      if (saved === null) return dropDraft(path);
      if (await write(path, null, saved)) await offerUndo(client, `${path} removed`);
    },
    closeConflict: () => setConflict(null),
  };
}

export interface HistoryControls {
  readonly query: Query<{ done: HistoryEntry[]; undone: HistoryEntry[] }>;
  readonly busy: boolean;
  step(method: 'config.undo' | 'config.redo'): Promise<void>;
}

export function useHistory(): HistoryControls {
  const { client } = useAccess();
  const change = useMesh((data) => data.configChange);
  const query = useQuery(`history#${change}`, () => client.call('config.history', {}));
  const [busy, setBusy] = useState(false);
  return {
    query,
    busy,
    async step(method) {
      setBusy(true);
      const undo = method === 'config.undo';
      const entry = await attempt(undo ? 'Undo' : 'Redo', () => client.call(method, {}));
      setBusy(false);
      if (entry) showToast('ok', `${undo ? 'Taken back' : 'Brought back'}: ${entry.label}`);
      query.reload();
    },
  };
}

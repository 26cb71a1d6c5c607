import { type ComponentType, useCallback, useEffect, useState } from 'react';
import { messageOf } from '../../state/mesh-context.tsx';
import type { EditorProps } from './editor.tsx';

/** Once it is here, it is here for every file. */
let loaded: ComponentType<EditorProps> | null = null;

/** The editor is as large as the rest of the page: it comes when it is needed. `error`: it did not; `retry` asks again. */
export function useEditor() {
  const [state, setState] = useState<{ Editor: ComponentType<EditorProps> | null; error: string | null }>({
    Editor: loaded,
    error: null,
  });
  const load = useCallback(() => {
    import('./editor.tsx').then(
      (module) => {
        loaded = module.default;
        setState({ Editor: module.default, error: null });
      },
      (error: unknown) => setState({ Editor: null, error: messageOf(error) }),
    );
  }, []);
  useEffect(() => {
    if (loaded === null) load();
  }, [load]);
  return { ...state, retry: load };
}

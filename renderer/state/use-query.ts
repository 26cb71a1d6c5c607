import { useCallback, useEffect, useRef, useState } from 'react';
import { messageOf } from './mesh-context.tsx';

export interface Query<T> {
  readonly data: T | null;
  readonly error: string | null;
  readonly loading: boolean;
  reload(): void;
  /** Puts an answer that is already here (of a command) in place. */
  put(data: T): void;
}

/**
 * Fetches once per `key`, and every `everyMs` while the page is visible. An answer that was overtaken by a later fetch or
 * another key is dropped; the last good data stays while the next is on its way.
 */
export function useQuery<T>(key: string | null, fetch: () => Promise<T>, everyMs: number | null = null): Query<T> {
  const [state, setState] = useState<{ key: string | null; data: T | null; error: string | null; loading: boolean }>({
    key,
    data: null,
    error: null,
    loading: key !== null,
  });
  const fetchRef = useRef(fetch);
  fetchRef.current = fetch;
  const turn = useRef(0);

  const reload = useCallback(() => {
    if (key === null) return;
    turn.current += 1;
    const mine = turn.current;
    fetchRef.current().then(
      (data) => mine === turn.current && setState({ key, data, error: null, loading: false }),
      (error: unknown) =>
        mine === turn.current && setState((old) => ({ ...old, key, error: messageOf(error), loading: false })),
    );
  }, [key]);

  useEffect(() => {
    setState((old) => ({ key, data: sameSubject(old.key, key) ? old.data : null, error: null, loading: key !== null }));
    reload();
    const timer =
      everyMs === null || key === null ? undefined : setInterval(() => document.hidden || reload(), everyMs);
    return () => {
      turn.current += 1;
      clearInterval(timer);
    };
  }, [key, everyMs, reload]);

  const put = useCallback(
    (data: T) => {
      turn.current += 1;
      setState({ key, data, error: null, loading: false });
    },
    [key],
  );
  return { data: state.data, error: state.error, loading: state.loading, reload, put };
}

/** Keys are `subject` or `subject#change`: only a change of subject empties what is shown. */
function sameSubject(left: string | null, right: string | null): boolean {
  return left !== null && right !== null && left.split('#')[0] === right.split('#')[0];
}

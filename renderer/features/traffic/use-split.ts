import { useCallback, useEffect, useRef, useState } from 'react';
import type { SplitView } from '../../../core/contract/shapes.ts';
import { attempt, useAccess, useMesh } from '../../state/mesh-context.tsx';
import { offerUndo } from '../../state/offer-undo.ts';
import { type Query, useQuery } from '../../state/use-query.ts';
import { serviceName } from '../../ui/format.ts';
import { startWeights, type Weight } from './weights.ts';

/** How long a slider must rest before its value is sent. */
const restMs = 120;

export interface SplitEditing {
  readonly query: Query<SplitView>;
  readonly weights: readonly Weight[];
  readonly pins: SplitView['pins'];
  /** A change is on its way, or not yet acknowledged by every sidecar. */
  readonly pending: boolean;
  setWeights(weights: readonly Weight[]): void;
  setPins(pins: SplitView['pins']): void;
  clear(): void;
}

/** One service's split: what is set, what was observed (twice a second fresh), and edits that are applied by themselves. */
export function useSplit(service: string): SplitEditing {
  const { client } = useAccess();
  const change = useMesh((data) => data.splitsChange);
  const query = useQuery(
    `${service}#${change}`,
    () => client.call('split.show', { service, windowSeconds: 30 }),
    1_000,
  );
  const [draft, setDraft] = useState<{ weights: readonly Weight[]; pins: SplitView['pins'] } | null>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const turn = useRef(0);
  /** Sends the edit that a timer still holds back. */
  const flush = useRef<(() => void) | null>(null);
  const split = query.data;
  const weights =
    draft?.weights ??
    (split
      ? startWeights(
          split.weights,
          split.versions.map(({ version }) => version),
        )
      : []);
  const pins = draft?.pins ?? split?.pins ?? [];

  useEffect(
    () => () => {
      clearTimeout(timer.current);
      turn.current += 1;
      // Leaving the view does not take the last drag back.
      flush.current?.();
      flush.current = null;
    },
    [],
  );

  const send = useCallback(
    (next: { weights: readonly Weight[]; pins: SplitView['pins'] }, afterMs: number) => {
      setDraft(next);
      clearTimeout(timer.current);
      turn.current += 1;
      const mine = turn.current;
      const apply = async () => {
        flush.current = null;
        const input = { service, weights: [...next.weights], pins: [...next.pins] };
        const answer = await attempt('The split was not set', () => client.call('split.set', input));
        if (mine !== turn.current) return;
        if (answer) query.put(answer);
        setDraft(null);
      };
      flush.current = () => void apply();
      timer.current = setTimeout(apply, afterMs);
    },
    [client, service, query.put],
  );

  return {
    query,
    weights,
    pins,
    pending: draft !== null || (split !== null && split.applied.acked < split.applied.of),
    setWeights: (next) => send({ weights: next, pins }, restMs),
    setPins: (next) => send({ weights, pins: next }, 0),
    clear() {
      clearTimeout(timer.current);
      flush.current = null;
      turn.current += 1;
      setDraft(null);
      void attempt('The split was not removed', () => client.call('split.clear', { service })).then((answer) => {
        if (!answer) return;
        query.put(answer);
        void offerUndo(client, `Split of ${serviceName(service)} removed`);
      });
    },
  };
}

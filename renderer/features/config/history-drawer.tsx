import { Redo2, Undo2 } from 'lucide-react';
import type { HistoryEntry } from '../../../core/contract/config-shapes.ts';
import { Button } from '../../ui/button.tsx';
import { Drawer, ErrorState, Loading } from '../../ui/panels.tsx';
import type { HistoryControls } from './use-config.ts';

const timeOf = (atMs: number) => new Date(atMs).toLocaleTimeString('en-GB');

/** What was changed since the control plane started, by whomever: newest first, what was undone above it. */
export function HistoryDrawer(props: {
  history: HistoryControls;
  selected: number | null;
  onSelect(entry: HistoryEntry): void;
  onClose(): void;
}) {
  const { query, busy, step } = props.history;
  const { done = [], undone = [] } = query.data ?? {};
  return (
    <Drawer
      title="History"
      onClose={props.onClose}
      footer={
        <>
          <Button icon={Undo2} disabled={done.length === 0} busy={busy} onClick={() => void step('config.undo')}>
            Undo
          </Button>
          <Button icon={Redo2} disabled={undone.length === 0} busy={busy} onClick={() => void step('config.redo')}>
            Redo
          </Button>
        </>
      }
    >
      {query.error && !query.data && (
        <ErrorState title="The history could not be read" error={query.error} onRetry={query.reload} />
      )}
      {!query.data && !query.error && <Loading label="Reading the history" />}
      {query.data && done.length + undone.length === 0 && (
        <p className="hint" style={{ padding: 16 }}>
          No changes since Meshdesk started. Each one, here, on the command line or on disk, can be taken back.
        </p>
      )}
      <ol className="config-history" aria-label="Changes, newest first" data-arrows="vertical">
        {undone.toReversed().map((entry) => (
          <Entry key={entry.id} entry={entry} isUndone {...props} />
        ))}
        {done.map((entry) => (
          <Entry key={entry.id} entry={entry} isUndone={false} {...props} />
        ))}
      </ol>
    </Drawer>
  );
}

function Entry(props: {
  entry: HistoryEntry;
  isUndone: boolean;
  selected: number | null;
  onSelect(entry: HistoryEntry): void;
}) {
  const { id, label, atMs, files } = props.entry;
  return (
    <li className={props.isUndone ? 'undone' : ''}>
      <button
        type="button"
        aria-current={id === props.selected ? 'true' : undefined}
        onClick={() => props.onSelect(props.entry)}
      >
        <span className="strong ellipsis" title={label}>
          {label}
        </span>
        <span className="hint">
          {timeOf(atMs)}
          {props.isUndone && ' · undone'}
        </span>
        <span className="mono hint ellipsis">{files.map(({ path }) => path).join(', ')}</span>
      </button>
    </li>
  );
}

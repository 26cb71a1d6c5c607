import { FileText, GitCompare, History, RotateCcw, Save, Trash2, X } from 'lucide-react';
import { useState } from 'react';
import type { HistoryEntry } from '../../../core/contract/config-shapes.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { Chip } from '../../ui/chip.tsx';
import { ErrorState, Loading } from '../../ui/panels.tsx';
import { DiffView } from './diff-view.tsx';
import { dropDraft, editDraft, setDraftFindings } from './drafts.ts';
import type { EditedFile } from './edited-files.ts';
import type { EditorPlace } from './editor.tsx';
import { useEditor } from './use-editor.ts';

export interface FilePaneProps {
  readonly file: EditedFile;
  readonly busy: boolean;
  readonly saveKey: string;
  readonly goTo: EditorPlace | null;
  onSave(): void;
  onRemove(): void;
}

/** One file: what state it is in, and its text. */
export function FilePane({ file, busy, saveKey, goTo, onSave, onRemove }: FilePaneProps) {
  const { path, text, saved, isUnsaved, isConflicting, isBehind, applied, findings } = file;
  const [wantsDiff, setWantsDiff] = useState(false);
  const differs = text !== applied;
  const showsDiff = wantsDiff && differs;
  const { Editor, error, retry } = useEditor();
  return (
    <section className="card clip config-file" aria-label={path}>
      <header className="file-head">
        <FileText size={14} aria-hidden />
        <span className="mono ellipsis">{path}</span>
        {isUnsaved && <Chip tone="accent">{saved === null ? 'new, not saved' : 'unsaved'}</Chip>}
        {isConflicting && saved !== null && (
          <Chip tone="warn" title="It was written by somebody else after you began to edit it">
            changed on disk
          </Chip>
        )}
        {isBehind && !isUnsaved && (
          <Chip tone="error" title="The text has errors; what it said before them is what the mesh does">
            last good version in force
          </Chip>
        )}
        <span className="push" />
        {differs && (
          <Button variant="ghost" icon={GitCompare} aria-pressed={showsDiff} onClick={() => setWantsDiff(!showsDiff)}>
            Compare
          </Button>
        )}
        {isUnsaved && saved !== null && (
          <Button variant="ghost" icon={RotateCcw} onClick={() => dropDraft(path)}>
            Revert
          </Button>
        )}
        <IconButton label={`Remove ${path}`} icon={Trash2} disabled={busy} onClick={onRemove} />
        <Button
          variant="primary"
          icon={Save}
          busy={busy}
          disabled={!isUnsaved}
          title={`Save (${saveKey})`}
          onClick={onSave}
        >
          Save
        </Button>
      </header>
      {showsDiff && <DiffView before={applied ?? ''} after={text} label={`${path}: in force, and as it is written`} />}
      {Editor && !showsDiff && (
        <Editor
          key={path}
          path={path}
          text={text}
          known={isUnsaved ? null : findings}
          goTo={goTo}
          onChange={(next) => editDraft(path, next, saved)}
          onFindings={(checked, found) => setDraftFindings(path, checked, found)}
        />
      )}
      {!Editor && error === null && <Loading label="Opening the editor" lines={8} />}
      {!Editor && error !== null && <ErrorState title="The editor could not be loaded" error={error} onRetry={retry} />}
    </section>
  );
}

/** What one change of the history did. */
export function ChangePane({ entry, onClose }: { entry: HistoryEntry; onClose(): void }) {
  return (
    <section className="card clip config-file" aria-label={`Change: ${entry.label}`}>
      <header className="file-head">
        <History size={14} aria-hidden />
        <b className="ellipsis">{entry.label}</b>
        <span className="push" />
        <IconButton label="Back to the file" icon={X} onClick={onClose} />
      </header>
      <div className="config-change">
        {entry.files.map(({ path, before, after }) => (
          <div key={path}>
            <h2 className="caption inline">
              <span className="mono">{path}</span>
              {before === null && <Chip tone="ok">new</Chip>}
              {after === null && <Chip tone="error">removed</Chip>}
            </h2>
            <DiffView before={before ?? ''} after={after ?? ''} label={`Change of ${path}`} />
          </div>
        ))}
      </div>
    </section>
  );
}

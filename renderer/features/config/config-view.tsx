/**
 * Config: the project's YAML files as they are on disk. A tree, an editor that says what is wrong at its line, everything
 * that is found in the files and in the mesh as a whole, and the history with undo. Draft: what was typed and not saved;
 * behind: a file with errors, whose last good text is in force. Must not: write without being asked, or over what
 * somebody else wrote.
 */
import { Download, FileCode2, FilePlus2, History, Redo2, Undo2 } from 'lucide-react';
import { useEffect, useState } from 'react';
import type { HistoryEntry } from '../../../core/contract/config-shapes.ts';
import { openConfig, setPanel, useNavigation } from '../../state/navigation.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { plural } from '../../ui/format.ts';
import { EmptyState, ErrorState, Loading, View } from '../../ui/panels.tsx';
import { ConflictDialog } from './conflict-dialog.tsx';
import { dropDraft, editDraft } from './drafts.ts';
import { countFindings, type EditedFile } from './edited-files.ts';
import { FileList } from './file-list.tsx';
import { ChangePane, FilePane } from './file-pane.tsx';
import { FindingList } from './finding-list.tsx';
import { HistoryDrawer } from './history-drawer.tsx';
import { ImportDialog } from './import-dialog.tsx';
import { NewFileDialog } from './new-file-dialog.tsx';
import './config.css';
import { type ConfigEditing, type HistoryControls, useConfig, useHistory } from './use-config.ts';

export function ConfigView() {
  const config = useConfig();
  const history = useHistory();
  const open = useNavigation((state) => state.panel);
  const close = () => setPanel(null);
  const [change, setChange] = useState<HistoryEntry | null>(null);
  const wanted = useNavigation((state) => state.configFile);
  const { query, files } = config;
  const file = files.find(({ path }) => path === wanted?.path) ?? files[0];
  const findings = [...files.flatMap((one) => one.findings), ...(query.data?.findings ?? [])];
  useSaveKey(file, config);
  useEffect(() => {
    if (wanted) setChange(null);
  }, [wanted]);
  return (
    <View
      title="Config"
      padded={false}
      toolbar={
        <>
          <span className="hint ellipsis">{countFindings(findings) || (file ? plural(files.length, 'file') : '')}</span>
          <span className="push" />
          <Button variant="ghost" icon={FilePlus2} onClick={() => setPanel('new-file')}>
            New file
          </Button>
          <Button variant="ghost" icon={Download} onClick={() => setPanel('import')}>
            Import
          </Button>
          <HistoryButtons
            history={history}
            isOpen={open === 'history'}
            onToggle={() => setPanel(open === 'history' ? null : 'history')}
          />
        </>
      }
      drawer={
        open === 'history' && (
          <HistoryDrawer history={history} selected={change?.id ?? null} onSelect={setChange} onClose={close} />
        )
      }
    >
      {query.error && !query.data && (
        <ErrorState title="The files could not be read" error={query.error} onRetry={query.reload} />
      )}
      {!query.data && !query.error && <Loading label="Reading the files" lines={6} />}
      {query.data && files.length === 0 && !change && (
        <NoFiles onNew={() => setPanel('new-file')} onImport={() => setPanel('import')} />
      )}
      {query.data && (file || change) && (
        <div className="config-layout">
          <FileList
            files={files}
            current={change ? null : (file?.path ?? null)}
            onOpen={(path, line) => openConfig(path, line)}
          />
          <div className="config-main">
            {change && <ChangePane entry={change} onClose={() => setChange(null)} />}
            {!change && file && <OpenFile file={file} config={config} />}
            <FindingList findings={findings} onOpen={openConfig} />
          </div>
        </div>
      )}
      <Conflict config={config} />
      {open === 'new-file' && (
        <NewFileDialog
          taken={files.map(({ path }) => path)}
          onClose={close}
          onCreate={(path, text) => {
            editDraft(path, text, null);
            openConfig(path);
            close();
          }}
        />
      )}
      {open === 'import' && <ImportDialog onClose={close} />}
    </View>
  );
}

const isMac = () => navigator.platform.startsWith('Mac');

/** Ctrl/Cmd+S saves the open file, wherever the focus is. */
function useSaveKey(file: EditedFile | undefined, { save, busy }: ConfigEditing): void {
  useEffect(() => {
    const handleKey = (event: KeyboardEvent) => {
      if (!(event.ctrlKey || event.metaKey) || event.altKey || event.key.toLowerCase() !== 's') return;
      event.preventDefault();
      if (file?.isUnsaved && !busy) void save(file);
    };
    window.addEventListener('keydown', handleKey);
    return () => window.removeEventListener('keydown', handleKey);
  }, [file, save, busy]);
}

function OpenFile({ file, config }: { file: EditedFile; config: ConfigEditing }) {
  const wanted = useNavigation((state) => state.configFile);
  const goTo = wanted?.path === file.path && wanted.line !== null ? wanted : null;
  return (
    <FilePane
      file={file}
      busy={config.busy}
      saveKey={isMac() ? '⌘S' : 'Ctrl S'}
      goTo={goTo}
      onSave={() => void config.save(file)}
      onRemove={() => void config.remove(file)}
    />
  );
}

function HistoryButtons(props: { history: HistoryControls; isOpen: boolean; onToggle(): void }) {
  const { query, busy, step } = props.history;
  const [last] = query.data?.done ?? [];
  const [next] = query.data?.undone ?? [];
  return (
    <>
      <IconButton
        label={last ? `Undo: ${last.label}` : 'Nothing to undo'}
        icon={Undo2}
        disabled={!last || busy}
        onClick={() => void step('config.undo')}
      />
      <IconButton
        label={next ? `Redo: ${next.label}` : 'Nothing to redo'}
        icon={Redo2}
        disabled={!next || busy}
        onClick={() => void step('config.redo')}
      />
      <Button variant="ghost" icon={History} aria-pressed={props.isOpen} onClick={props.onToggle}>
        History
      </Button>
    </>
  );
}

function NoFiles({ onNew, onImport }: { onNew(): void; onImport(): void }) {
  return (
    <EmptyState
      icon={FileCode2}
      title="No configuration yet"
      actions={
        <>
          <Button icon={FilePlus2} onClick={onNew}>
            New file
          </Button>
          <Button icon={Download} onClick={onImport}>
            Import
          </Button>
        </>
      }
    >
      The mesh works without: it gives mutual TLS, metrics and a topology. A split or a fault that you set becomes a
      file here; Istio and Gateway API files of a production service can be put in as they are.
    </EmptyState>
  );
}

function Conflict({ config }: { config: ConfigEditing }) {
  const file = config.files.find(({ path }) => path === config.conflict);
  if (!file) return null;
  return (
    <ConflictDialog
      file={file}
      busy={config.busy}
      onKeepMine={() => void config.overwrite(file)}
      onTakeTheirs={() => {
        dropDraft(file.path);
        config.closeConflict();
      }}
      onClose={config.closeConflict}
    />
  );
}

/**
 * Export: what the mesh does now, as the configuration of a production mesh. Shows every file before anything is written,
 * and says of each thing whether it was mapped, approximated or dropped, and why.
 */
import { ArrowUpFromLine, CircleCheck, CircleMinus, CircleSlash, FileText, FolderOpen } from 'lucide-react';
import { useState } from 'react';
import type { ExportFinding, ExportResult } from '../../../core/contract/shapes.ts';
import { attempt, useAccess, useMesh } from '../../state/mesh-context.tsx';
import { setPanel, useNavigation } from '../../state/navigation.ts';
import { useQuery } from '../../state/use-query.ts';
import { Button } from '../../ui/button.tsx';
import { CopyButton, PlainView, YamlView } from '../../ui/code-view.tsx';
import { Field, Segmented } from '../../ui/controls.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { plural } from '../../ui/format.ts';
import { EmptyState, ErrorState, Loading, View } from '../../ui/panels.tsx';
import './export.css';

/** The mesh that the files are for. */
const target = 'istio';

type Names = 'production' | 'local';

/** The control plane says of each mapped name what it becomes. */
const hasMappedNames = ({ findings }: ExportResult) => findings.some(({ what }) => / (?:becomes|stays) /.test(what));

export function ExportView() {
  const { client } = useAccess();
  const splits = useMesh((data) => data.splitsChange);
  const faults = useMesh((data) => data.faults.map(({ id, enabled, percent }) => `${id}${enabled}${percent}`).join());
  const shape = useMesh((data) =>
    data.workloads.map(({ service, version, mesh }) => `${service}${version}${mesh}`).join(),
  );
  const [names, setNames] = useState<Names>('production');
  const preview = useQuery(`preview#${splits}${faults}${shape}${names}`, () =>
    client.call('export.preview', { targets: [target], names }),
  );
  const result = preview.data?.find((one) => one.target === target) ?? null;
  // Without anything to map there are still a kustomization and a report, which say nothing.
  const nothing = result !== null && result.findings.length === 0;
  return (
    <View
      title="Export"
      toolbar={
        <>
          <span className="hint">Istio: VirtualService, DestinationRule, PeerAuthentication</span>
          <span className="push" />
          {result && (names === 'local' || hasMappedNames(result)) && (
            <Segmented
              label="Names"
              value={names}
              options={[
                {
                  value: 'production',
                  label: 'Names of production',
                  title: 'as they were before an import mapped them',
                },
                { value: 'local', label: 'Names as here' },
              ]}
              onChange={setNames}
            />
          )}
          <WriteButton names={names} disabled={!result || nothing} />
        </>
      }
    >
      {preview.error && !result && (
        <ErrorState title="There is no preview" error={preview.error} onRetry={preview.reload} />
      )}
      {!preview.data && !preview.error && <Loading label="Making the preview" lines={6} />}
      {nothing && (
        <EmptyState icon={ArrowUpFromLine} title="Nothing to export yet">
          Attach workloads, split traffic or inject a fault: what you set up here becomes files for a production mesh.
        </EmptyState>
      )}
      {result && !nothing && <Preview result={result} />}
    </View>
  );
}

const isYaml = (path: string) => /\.ya?ml$/.test(path);
/** Resources first, then what holds them together, then the report. */
const rank = (path: string) => (isYaml(path) ? (path.includes('kustomization') ? 1 : 0) : 2);

function Preview({ result }: { result: ExportResult }) {
  const [path, setPath] = useState<string | null>(null);
  const files = [...result.files].sort((left, right) => rank(left.path) - rank(right.path));
  const file = files.find((one) => one.path === path) ?? files[0];
  return (
    <div className="export-layout">
      <div className="export-side">
        <nav className="card export-files" aria-label="Files" data-arrows="vertical">
          {files.map((one) => (
            <button
              key={one.path}
              type="button"
              aria-current={one === file ? 'true' : undefined}
              onClick={() => setPath(one.path)}
            >
              <FileText size={14} aria-hidden />
              <span className="mono ellipsis" title={one.path}>
                {one.path}
              </span>
            </button>
          ))}
        </nav>
        <Report findings={result.findings} onOpen={setPath} />
      </div>
      {file && (
        <section className="card clip export-file" aria-label={file.path}>
          <header className="file-head">
            <FileText size={14} aria-hidden />
            <span className="mono">{file.path}</span>
            <span className="hint">{plural(file.content.trimEnd().split('\n').length, 'line')}</span>
            <span className="push" />
            <CopyButton text={file.content} what={file.path} />
          </header>
          {isYaml(file.path) ? (
            <YamlView text={file.content} label={`Text of ${file.path}`} />
          ) : (
            <PlainView text={file.content} label={`Text of ${file.path}`} />
          )}
        </section>
      )}
    </div>
  );
}

const kinds = {
  dropped: { title: 'Dropped', icon: CircleSlash, color: 'var(--error)', text: 'cannot be said in Istio' },
  approximated: { title: 'Approximated', icon: CircleMinus, color: 'var(--warn)', text: 'close, but not the same' },
  mapped: { title: 'Mapped', icon: CircleCheck, color: 'var(--ok)', text: 'the same there as here' },
} as const;

function Report({ findings, onOpen }: { findings: readonly ExportFinding[]; onOpen(path: string): void }) {
  return (
    <section className="card export-report" aria-label="Loss report">
      {(['dropped', 'approximated', 'mapped'] as const).map((kind) => {
        const group = findings.filter((finding) => finding.kind === kind);
        const { title, icon: Icon, color, text } = kinds[kind];
        return (
          <div key={kind}>
            <h2 className="caption">
              <Icon size={13} style={{ color }} aria-hidden />
              {title} {group.length}
              <span>{text}</span>
            </h2>
            <ul>
              {group.map(({ what, reason, file }) => (
                <li key={what + reason}>
                  {file ? (
                    <button type="button" className="linklike" onClick={() => onOpen(file)}>
                      {what}
                    </button>
                  ) : (
                    <b className="strong">{what}</b>
                  )}
                  <span className="muted">{reason}</span>
                </li>
              ))}
            </ul>
          </div>
        );
      })}
    </section>
  );
}

function WriteButton({ names, disabled }: { names: Names; disabled: boolean }) {
  const { client, platform } = useAccess();
  const asking = useNavigation((state) => state.panel === 'write-export') && !disabled;
  const [busy, setBusy] = useState(false);
  const [written, setWritten] = useState<ExportResult | null>(null);
  const write = async (outDir: string) => {
    setBusy(true);
    const results = await attempt('The export failed', () =>
      client.call('export.write', { targets: [target], names, outDir }),
    );
    setBusy(false);
    const first = results?.[0];
    if (!first) return;
    setPanel(null);
    setWritten(first);
  };
  const handleClick = async () => {
    if (!platform.chooseFolder) return setPanel('write-export');
    const folder = await attempt('No folder was chosen', () => platform.chooseFolder?.() ?? Promise.resolve(null));
    if (folder) await write(folder);
  };
  return (
    <>
      <Button variant="primary" icon={FolderOpen} busy={busy} disabled={disabled} onClick={() => void handleClick()}>
        Write to folder
      </Button>
      {asking && <FolderDialog busy={busy} onWrite={(folder) => void write(folder)} onClose={() => setPanel(null)} />}
      {written && <WrittenDialog result={written} onClose={() => setWritten(null)} />}
    </>
  );
}

function FolderDialog({ busy, onWrite, onClose }: { busy: boolean; onWrite(folder: string): void; onClose(): void }) {
  const project = useMesh((data) => data.status?.project.dir ?? '');
  const [folder, setFolder] = useState(project ? `${project}/export` : '');
  return (
    <Dialog
      title="Write the export"
      description="Into a folder on the machine that Meshdesk runs on: an empty one, or that of an earlier export."
      width="520px"
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button variant="primary" type="submit" form="export-folder" busy={busy} disabled={folder.trim() === ''}>
            Write files
          </Button>
        </>
      }
    >
      <form
        id="export-folder"
        onSubmit={(event) => {
          event.preventDefault();
          onWrite(folder.trim());
        }}
      >
        <Field label="Folder">
          {({ id }) => (
            <input
              id={id}
              className="input mono"
              value={folder}
              spellCheck={false}
              onChange={({ target: box }) => setFolder(box.value)}
            />
          )}
        </Field>
      </form>
    </Dialog>
  );
}

function WrittenDialog({ result, onClose }: { result: ExportResult; onClose(): void }) {
  return (
    <Dialog
      title={`${plural(result.files.length, 'file')} written`}
      description={<span className="mono">{result.outDir}</span>}
      width="520px"
      onClose={onClose}
      footer={
        <>
          {result.outDir && <CopyButton text={result.outDir} label="Copy path" what="Path" />}
          <Button variant="primary" onClick={onClose}>
            Done
          </Button>
        </>
      }
    >
      <ul className="export-written mono">
        {result.files.map(({ path }) => (
          <li key={path}>{path}</li>
        ))}
      </ul>
    </Dialog>
  );
}

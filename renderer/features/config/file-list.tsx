import { ChevronDown, ChevronRight, CircleAlert, FileText, Folder, type LucideIcon, TriangleAlert } from 'lucide-react';
import { useState } from 'react';
import { Chip } from '../../ui/chip.tsx';
import { plural } from '../../ui/format.ts';
import type { EditedFile } from './edited-files.ts';
import { buildTree, type TreeFolder } from './file-tree.ts';

export interface FileListProps {
  readonly files: readonly EditedFile[];
  readonly current: string | null;
  onOpen(path: string, line?: number): void;
}

/** The project's files by folder; under the open one, the resources in it. */
export function FileList(props: FileListProps) {
  return (
    <nav className="card config-files" aria-label="Files" data-arrows="vertical">
      <FolderItems folder={buildTree(props.files)} {...props} />
    </nav>
  );
}

function FolderItems({ folder, ...props }: FileListProps & { folder: TreeFolder<EditedFile> }) {
  return (
    <ul>
      {folder.folders.map((inner) => (
        <FolderRow key={inner.path} folder={inner} {...props} />
      ))}
      {folder.files.map(({ name, file }) => (
        <FileRow key={file.path} name={name} file={file} {...props} />
      ))}
    </ul>
  );
}

function FolderRow({ folder, ...props }: FileListProps & { folder: TreeFolder<EditedFile> }) {
  const [open, setOpen] = useState(true);
  const Arrow = open ? ChevronDown : ChevronRight;
  return (
    <li>
      <button type="button" className="row folder" aria-expanded={open} onClick={() => setOpen(!open)}>
        <Arrow size={13} aria-hidden />
        <Folder size={14} aria-hidden />
        <span className="ellipsis">{folder.name}</span>
      </button>
      {open && <FolderItems folder={folder} {...props} />}
    </li>
  );
}

function FileRow({ name, file, current, onOpen }: FileListProps & { name: string; file: EditedFile }) {
  const isCurrent = file.path === current;
  return (
    <li>
      <button
        type="button"
        className="row"
        title={file.path}
        aria-current={isCurrent ? 'true' : undefined}
        onClick={() => onOpen(file.path)}
      >
        <FileText size={14} aria-hidden />
        <span className="mono grow ellipsis">{name}</span>
        <FindingCount file={file} />
        {file.isUnsaved && (
          <span className="unsaved" role="img" aria-label="unsaved" title="Not saved yet">
            ●
          </span>
        )}
      </button>
      {isCurrent && file.resources.length > 0 && (
        <ul className="outline" aria-label={`Resources in ${file.path}`}>
          {file.resources.map(({ kind, namespace, name: resource, line }) => (
            <li key={`${kind} ${namespace}/${resource} ${line}`}>
              <button
                type="button"
                className="row"
                title={`${kind} ${namespace}/${resource}, line ${line}`}
                onClick={() => onOpen(file.path, line)}
              >
                <span className="ellipsis">
                  {resource} <span className="hint">{kind}</span>
                </span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </li>
  );
}

function FindingCount({ file: { findings } }: { file: EditedFile }) {
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  const warnings = findings.filter(({ severity }) => severity === 'warning').length;
  if (errors > 0) return <CountChip tone="error" icon={CircleAlert} count={errors} word="error" />;
  return warnings > 0 ? <CountChip tone="warn" icon={TriangleAlert} count={warnings} word="warning" /> : null;
}

function CountChip(props: { tone: 'error' | 'warn'; icon: LucideIcon; count: number; word: string }) {
  const text = plural(props.count, props.word);
  return (
    <Chip tone={props.tone} icon={props.icon} title={text}>
      <span aria-hidden>{props.count}</span>
      <span className="visually-hidden">{text}</span>
    </Chip>
  );
}

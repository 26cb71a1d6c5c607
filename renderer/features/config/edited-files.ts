/** The project's files with what was typed and not saved yet. Pure. */
import type { ConfigFile, FindingView } from '../../../core/contract/config-shapes.ts';

export interface Draft {
  readonly text: string;
  /** What the file was when the edit began; `null`: it is new. */
  readonly base: string | null;
  /** Of the text, as far as it was checked. */
  readonly findings: readonly FindingView[] | null;
}

export interface EditedFile {
  readonly path: string;
  readonly text: string;
  /** As it is on disk; `null`: it is not there. */
  readonly saved: string | null;
  readonly isUnsaved: boolean;
  /** The file on disk is not what the edit began with. */
  readonly isConflicting: boolean;
  readonly isBehind: boolean;
  /** What the mesh does now; `null`: nothing of this file. */
  readonly applied: string | null;
  readonly resources: ConfigFile['resources'];
  readonly findings: readonly FindingView[];
}

/** By path. A draft that says what the disk says is none. */
export function mergeDrafts(
  files: readonly ConfigFile[],
  drafts: Readonly<Record<string, Draft>>,
): readonly EditedFile[] {
  const paths = [...new Set([...files.map(({ path }) => path), ...Object.keys(drafts)])].sort((a, b) =>
    a < b ? -1 : Number(a > b),
  );
  return paths.map((path) => {
    const file = files.find((one) => one.path === path);
    const draft = drafts[path];
    const saved = file?.text ?? null;
    const isUnsaved = draft !== undefined && draft.text !== saved;
    return {
      path,
      text: draft?.text ?? saved ?? '',
      saved,
      isUnsaved,
      isConflicting: isUnsaved && draft.base !== saved,
      isBehind: file?.isBehind ?? false,
      applied: file?.appliedText ?? saved,
      resources: file?.resources ?? [],
      findings: (isUnsaved ? draft.findings : null) ?? file?.findings ?? [],
    };
  });
}

const rank = { error: 0, warning: 1, info: 2 } as const;

/** Errors first, then by place. */
export function sortFindings(findings: readonly FindingView[]): readonly FindingView[] {
  return [...findings].sort(
    (a, b) =>
      rank[a.severity] - rank[b.severity] ||
      (a.file ?? '').localeCompare(b.file ?? '', 'en') ||
      (a.line ?? 0) - (b.line ?? 0),
  );
}

/** `2 errors, 1 warning`; '' when there is nothing that needs a hand. */
export function countFindings(findings: readonly FindingView[]): string {
  const parts = (['error', 'warning'] as const).flatMap((severity) => {
    const count = findings.filter((finding) => finding.severity === severity).length;
    return count === 0 ? [] : [`${count} ${severity}${count === 1 ? '' : 's'}`];
  });
  return parts.join(', ');
}

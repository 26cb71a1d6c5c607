import { CircleAlert, CircleCheck, Info, TriangleAlert } from 'lucide-react';
import type { FindingView } from '../../../core/contract/config-shapes.ts';
import { Chip } from '../../ui/chip.tsx';
import { countFindings, sortFindings } from './edited-files.ts';

const severities = {
  error: { icon: CircleAlert, color: 'var(--error)', word: 'error' },
  warning: { icon: TriangleAlert, color: 'var(--warn)', word: 'warning' },
  info: { icon: Info, color: 'var(--info)', word: 'note' },
} as const;

type OpenPlace = (path: string, line: number, column: number) => void;

/** Everything there is to say about the project, errors first; a click goes to the place. */
export function FindingList(props: {
  findings: readonly FindingView[];
  /** `null`: the places are of files that are not open here. */
  readonly onOpen: OpenPlace | null;
}) {
  const sorted = sortFindings(props.findings);
  return (
    <section className="card clip config-findings" aria-label="Findings">
      <header>
        <h2 className="caption">Findings</h2>
        <span className="hint">{countFindings(sorted) || 'no errors, no warnings'}</span>
      </header>
      {sorted.length === 0 ? (
        <p className="hint inline">
          <CircleCheck size={14} style={{ color: 'var(--ok)' }} aria-hidden />
          The files are valid and fit together and to what runs.
        </p>
      ) : (
        <ul data-arrows="vertical">
          {sorted.map((finding) => (
            <FindingRow
              key={`${finding.number}${finding.file}${finding.line}${finding.column}${finding.message}`}
              finding={finding}
              onOpen={props.onOpen}
            />
          ))}
        </ul>
      )}
    </section>
  );
}

function FindingRow({ finding, onOpen }: { finding: FindingView; onOpen: OpenPlace | null }) {
  const { severity, number, message, hint, file, line, column } = finding;
  const { icon: Icon, color, word } = severities[severity];
  const text = (
    <>
      <Icon size={14} style={{ color }} role="img" aria-label={word} />
      <span className="what">
        <span className="strong">{message}</span> <span className="muted">{hint}</span>
      </span>
      <Chip mono>{number}</Chip>
      <span className="mono hint ellipsis place" title={file ?? undefined}>
        {file === null ? 'the mesh' : [file, line, column].filter((part) => part !== null).join(':')}
      </span>
    </>
  );
  return (
    <li>
      {file === null || onOpen === null ? (
        <div className="finding">{text}</div>
      ) : (
        <button type="button" className="finding" onClick={() => onOpen(file, line ?? 1, column ?? 1)}>
          {text}
        </button>
      )}
    </li>
  );
}

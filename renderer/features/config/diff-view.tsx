import { useMemo } from 'react';
import { diffLines, shortenDiff } from './line-diff.ts';

const marks = { same: ' ', added: '+', removed: '−', gap: '' } as const;
const words = { same: '', added: 'added: ', removed: 'removed: ', gap: '' } as const;

/** What changed from one text to the other, with line numbers; marked by sign as well as by colour. */
export function DiffView({ before, after, label }: { before: string; after: string; label: string }) {
  const lines = useMemo(() => shortenDiff(diffLines(before, after)), [before, after]);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
    <section className="code-scroll" aria-label={label} tabIndex={0}>
      <div className="code diff">
        {lines.length === 0 && <p className="hint">Nothing differs.</p>}
        {lines.map((line, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: lines of a diff have no other identity
          <div key={index} className={line.kind}>
            <span className="line-number" aria-hidden>
              {line.before ?? ''}
            </span>
            <span className="line-number" aria-hidden>
              {line.after ?? ''}
            </span>
            <span className="mark" aria-hidden>
              {marks[line.kind]}
            </span>
            <span>
              <span className="visually-hidden">{words[line.kind]}</span>
              {line.text}
            </span>
          </div>
        ))}
      </div>
    </section>
  );
}

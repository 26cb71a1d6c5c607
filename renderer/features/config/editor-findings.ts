/** Findings as marks in the editor. */
import type { Diagnostic } from '@codemirror/lint';
import type { Text } from '@codemirror/state';
import { type FindingView, toFindingView } from '../../../core/contract/config-shapes.ts';
import { parseResources } from '../../../core/model/parse-resources.ts';

/** What a text has to be told by itself, as the control plane would say it. */
export function checkText(text: string, path: string): FindingView[] {
  return parseResources(text, path).findings.map(toFindingView);
}

/** Under the word at the finding's place; what is only kept, not applied, is marked too, without alarm. */
export function toDiagnostics(findings: readonly FindingView[], doc: Text): Diagnostic[] {
  return findings
    .flatMap((finding): Diagnostic[] => {
      if (finding.line === null) return [];
      const line = doc.line(Math.min(Math.max(1, finding.line), doc.lines));
      const from = Math.min(line.from + Math.max(0, (finding.column ?? 1) - 1), line.to);
      const word = /^[^\s:,{}[\]]+/.exec(doc.sliceString(from, line.to))?.[0].length ?? 0;
      return [
        {
          from,
          to: Math.min(line.to, from + Math.max(1, word)),
          severity: finding.severity,
          message: `${finding.number} ${finding.message}. ${finding.hint}`,
          renderMessage: () => renderFinding(finding),
        },
      ];
    })
    .sort((a, b) => a.from - b.from);
}

function renderFinding({ number, message, hint }: FindingView): HTMLElement {
  const box = document.createElement('span');
  const code = document.createElement('b');
  code.textContent = number;
  const cure = document.createElement('small');
  cure.textContent = hint;
  box.append(code, ` ${message}`, cure);
  return box;
}

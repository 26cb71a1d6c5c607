import { Copy } from 'lucide-react';
import { useMemo } from 'react';
import { showToast } from '../state/toasts.ts';
import { Button } from './button.tsx';
import { tokenizeYaml } from './yaml-tokens.ts';

/** YAML with its keys, texts, numbers and comments told apart. Read-only. */
export function YamlView({ text, label }: { text: string; label: string }) {
  const lines = useMemo(() => text.split('\n').map(tokenizeYaml), [text]);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
    <section className="code-scroll" aria-label={label} tabIndex={0}>
      <pre className="code">
        {lines.map((tokens, line) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: lines of a text have no other identity
          <span key={line}>
            {tokens.map(({ kind, text: part }, place) =>
              kind === 'plain' ? (
                part
              ) : (
                // biome-ignore lint/suspicious/noArrayIndexKey: tokens of a line have no other identity
                <span key={place} className={kind}>
                  {part}
                </span>
              ),
            )}
            {'\n'}
          </span>
        ))}
      </pre>
    </section>
  );
}

/** Text as it is. */
export function PlainView({ text, label }: { text: string; label: string }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
    <section className="code-scroll" aria-label={label} tabIndex={0}>
      <pre className="code plain">{text}</pre>
    </section>
  );
}

export function CopyButton({ text, label = 'Copy', what }: { text: string; label?: string; what: string }) {
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => showToast('ok', `${what} copied`),
      () => showToast('error', 'The clipboard is not available', 'Select the text and copy it with the keyboard.'),
    );
  return (
    <Button variant="ghost" icon={Copy} onClick={() => void copy()}>
      {label}
    </Button>
  );
}

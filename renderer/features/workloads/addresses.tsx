import { Copy } from 'lucide-react';
import type { ReactNode } from 'react';
import { showToast } from '../../state/toasts.ts';
import { IconButton } from '../../ui/button.tsx';

export function AddressSection({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section aria-label={title}>
      <h3>{title}</h3>
      {children}
    </section>
  );
}

/** A text to be copied. @param copied what is copied, when that is not the text */
export function Address({ what, text, copied = text }: { what: string; text: string; copied?: string }) {
  const copy = () =>
    navigator.clipboard.writeText(copied).then(
      () => showToast('ok', 'Address copied'),
      () => showToast('error', 'The clipboard is not available', 'Select the text and copy it with the keyboard.'),
    );
  return (
    <div className="listeners-address">
      <span className="ellipsis" title={what}>
        {what}
      </span>
      <code className="mono">{text}</code>
      <IconButton label={`Copy the address: ${what}`} icon={Copy} onClick={() => void copy()} />
    </div>
  );
}

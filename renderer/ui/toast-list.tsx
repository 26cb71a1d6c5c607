import { CircleAlert, CircleCheck, Info, TriangleAlert, X } from 'lucide-react';
import { useEffect, useState } from 'react';
import { closeToast, type Toast, toastActionLifeMs, toastLifeMs, useToasts } from '../state/toasts.ts';
import { Button, IconButton } from './button.tsx';

const icons = { ok: CircleCheck, info: Info, warn: TriangleAlert, error: CircleAlert };

export function ToastList() {
  const list = useToasts((state) => state.list);
  return (
    <ul className="toasts" aria-live="polite" aria-label="Messages">
      {list.map((toast) => (
        <ToastItem key={toast.id} toast={toast} />
      ))}
    </ul>
  );
}

function ToastItem({ toast }: { toast: Toast }) {
  const Icon = icons[toast.tone];
  // Nobody loses a message while reading it, or while on the way to its button.
  const [held, setHeld] = useState(false);
  useEffect(() => {
    if (toast.tone === 'error') return undefined;
    if (held) return undefined;
    const timer = setTimeout(() => closeToast(toast.id), toast.action ? toastActionLifeMs : toastLifeMs);
    return () => clearTimeout(timer);
  }, [toast, held]);
  const act = () => {
    closeToast(toast.id);
    toast.action?.run();
  };
  return (
    <li
      className={`toast ${toast.tone}`}
      role={toast.tone === 'error' ? 'alert' : undefined}
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
    >
      <Icon size={15} aria-hidden />
      <div>
        <p className="strong">{toast.title}</p>
        {toast.text && <p style={{ whiteSpace: 'pre-line' }}>{toast.text}</p>}
      </div>
      {toast.action ? <Button onClick={act}>{toast.action.label}</Button> : <span />}
      <IconButton label="Dismiss" icon={X} onClick={() => closeToast(toast.id)} />
    </li>
  );
}

import { CircleAlert, CircleCheck, Info, TriangleAlert, X } from 'lucide-react';
import { useEffect } from 'react';
import { closeToast, type Toast, toastLifeMs, useToasts } from '../state/toasts.ts';
import { IconButton } from './button.tsx';

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
  useEffect(() => {
    if (toast.tone === 'error') return undefined;
    const timer = setTimeout(() => closeToast(toast.id), toastLifeMs);
    return () => clearTimeout(timer);
  }, [toast]);
  return (
    <li className={`toast ${toast.tone}`} role={toast.tone === 'error' ? 'alert' : undefined}>
      <Icon size={15} aria-hidden />
      <div>
        <p className="strong">{toast.title}</p>
        {toast.text && <p style={{ whiteSpace: 'pre-line' }}>{toast.text}</p>}
      </div>
      <IconButton label="Dismiss" icon={X} onClick={() => closeToast(toast.id)} />
    </li>
  );
}

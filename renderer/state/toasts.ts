import { create } from 'zustand';

export interface Toast {
  readonly id: number;
  readonly tone: 'ok' | 'info' | 'warn' | 'error';
  readonly title: string;
  readonly text: string | null;
  /** What can be done about it at once: mostly taking it back. */
  readonly action: ToastAction | null;
}

export interface ToastAction {
  readonly label: string;
  run(): void;
}

interface Toasts {
  readonly list: readonly Toast[];
}

const most = 4;
/** How long a message stays; errors stay until they are closed. */
export const toastLifeMs = 5_000;
/** Of a message that offers something: long enough to read it and to reach its button. */
export const toastActionLifeMs = 12_000;
let lastId = 0;

export const useToasts = create<Toasts>(() => ({ list: [] }));

export function showToast(
  tone: Toast['tone'],
  title: string,
  text: string | null = null,
  action: ToastAction | null = null,
): void {
  lastId += 1;
  const toast = { id: lastId, tone, title, text, action };
  useToasts.setState(({ list }) => ({ list: [...list.filter((other) => other.title !== title), toast].slice(-most) }));
}

export function closeToast(id: number): void {
  useToasts.setState(({ list }) => ({ list: list.filter((toast) => toast.id !== id) }));
}

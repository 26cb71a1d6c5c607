/** Light, dark or as the system says; remembered on this machine. */
export type Theme = 'system' | 'light' | 'dark';

const key = 'meshdesk.theme';

export function applyTheme(theme: Theme): void {
  document.documentElement.style.colorScheme = theme === 'system' ? '' : theme;
  localStorage.setItem(key, theme);
  window.dispatchEvent(new Event('meshdesk-theme'));
}

export function restoreTheme(): void {
  const theme = localStorage.getItem(key);
  if (theme === 'light' || theme === 'dark') document.documentElement.style.colorScheme = theme;
}

/** A design token as a colour that canvas code understands. */
export function tokenColor(token: string): string {
  const probe = document.createElement('span');
  probe.style.color = `var(${token})`;
  document.body.append(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color;
}

/** Calls back when colours change: the system switched, or the user did. */
export function onThemeChange(handler: () => void): () => void {
  const media = window.matchMedia('(prefers-color-scheme: dark)');
  media.addEventListener('change', handler);
  window.addEventListener('meshdesk-theme', handler);
  return () => {
    media.removeEventListener('change', handler);
    window.removeEventListener('meshdesk-theme', handler);
  };
}

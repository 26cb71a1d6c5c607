import { closeDrawers, navigate, setPaletteOpen, useNavigation } from '../state/navigation.ts';
import { moveByArrows } from './arrow-keys.ts';
import { views } from './views.tsx';

const isMac = () => navigator.platform.startsWith('Mac');

/** `⌘K` on a Mac, `Ctrl K` elsewhere. */
export function shortcutLabel(key: string): string {
  return isMac() ? `⌘${key}` : `Ctrl ${key}`;
}

/** Ctrl/Cmd+K: palette. Ctrl/Cmd+1 to 7: views. Escape outside a dialog: closes the drawer. Arrow keys: within lists. */
export function handleKey(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey) {
    if (event.key.toLowerCase() === 'k') {
      event.preventDefault();
      setPaletteOpen(!useNavigation.getState().paletteOpen);
      return;
    }
    const view = views[Number(event.key) - 1];
    if (view && !event.altKey && !event.shiftKey) {
      event.preventDefault();
      navigate(view.name);
    }
    return;
  }
  const { dialog, paletteOpen } = useNavigation.getState();
  if (event.key === 'Escape' && !dialog && !paletteOpen && !event.defaultPrevented) closeDrawers();
  moveByArrows(event);
}

/**
 * Arrow keys in lists: in an element marked `data-arrows` (`vertical`, `horizontal`) they move the focus to the next
 * control, Home and End to the first and last. Tab still reaches each. Fields keep their own arrow keys.
 */
export function moveByArrows(event: KeyboardEvent): void {
  const { target, key } = event;
  if (!(target instanceof HTMLElement) || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  if (event.defaultPrevented || target.matches('input, select, textarea, [contenteditable], [role="switch"]')) return;
  const list = target.closest<HTMLElement>('[data-arrows]');
  if (!list) return;
  const controls = [...list.querySelectorAll<HTMLElement>('a[href], button:not(:disabled)')];
  const next = nextPlace(key, list.dataset['arrows'] === 'horizontal', controls.indexOf(target), controls.length);
  if (next === null) return;
  event.preventDefault();
  controls[next]?.focus();
}

/** Where the focus goes, or `null` for a key that does not move it. It stops at both ends. Pure. */
export function nextPlace(key: string, isHorizontal: boolean, place: number, count: number): number | null {
  const steps: Record<string, number> = isHorizontal
    ? { ArrowLeft: -1, ArrowRight: 1, Home: -count, End: count }
    : { ArrowUp: -1, ArrowDown: 1, Home: -count, End: count };
  const step = steps[key];
  if (step === undefined || place < 0) return null;
  return Math.max(0, Math.min(count - 1, place + step));
}

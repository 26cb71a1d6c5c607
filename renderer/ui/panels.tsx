import { CircleAlert, type LucideIcon, X } from 'lucide-react';
import { type ReactNode, type RefObject, useEffect, useRef } from 'react';
import { Button, IconButton } from './button.tsx';
import { MiddleText } from './middle-text.tsx';

/** A view: toolbar, body, and a drawer when something is selected. */
export function View(props: {
  title: string;
  toolbar?: ReactNode;
  drawer?: ReactNode;
  padded?: boolean;
  children: ReactNode;
}) {
  return (
    <>
      <div className="view-main">
        <div className="toolbar">
          <h1>{props.title}</h1>
          {props.toolbar}
        </div>
        <div className={`view-body ${props.padded === false ? '' : 'padded'}`}>{props.children}</div>
      </div>
      {props.drawer}
    </>
  );
}

export function Drawer(props: {
  title: string;
  chips?: ReactNode;
  footer?: ReactNode;
  children: ReactNode;
  onClose(): void;
}) {
  const panel = useRef<HTMLElement>(null);
  useFocusWithin(panel);
  return (
    <aside className="drawer" aria-label={props.title} ref={panel} tabIndex={-1}>
      <header>
        <div className="inline">
          <h2 className="grow" title={props.title}>
            <MiddleText text={props.title} />
          </h2>
          <IconButton label="Close details" icon={X} onClick={props.onClose} />
        </div>
        {props.chips && <div className="chips">{props.chips}</div>}
      </header>
      <div className="scroll">{props.children}</div>
      {props.footer && <footer>{props.footer}</footer>}
    </aside>
  );
}

/**
 * Whoever opened it by keyboard goes on in it, and is back where they were when it closes. The control that opened it may
 * have been drawn anew by then: it is found again by its test id.
 */
function useFocusWithin(panel: RefObject<HTMLElement | null>): void {
  useEffect(() => {
    const opener = document.activeElement;
    if (!(opener instanceof HTMLElement) || !opener.matches(':focus-visible')) return undefined;
    const testId = opener.dataset['testid'];
    panel.current?.focus({ preventScroll: true });
    return () => {
      const isElsewhere = document.activeElement !== null && document.activeElement !== document.body;
      if (isElsewhere && !panel.current?.contains(document.activeElement)) return;
      const again = opener.isConnected ? opener : document.querySelector<HTMLElement>(`[data-testid="${testId}"]`);
      again?.focus({ preventScroll: true });
    };
  }, [panel]);
}

export function Pane({ title, children }: { title?: ReactNode; children: ReactNode }) {
  return (
    <section className="pane">
      {title && <h3>{title}</h3>}
      {children}
    </section>
  );
}

/** Nothing here, and what to do about it. */
export function EmptyState(props: { icon: LucideIcon; title: string; children?: ReactNode; actions?: ReactNode }) {
  const Icon = props.icon;
  return (
    <div className="empty">
      <Icon aria-hidden />
      <h2>{props.title}</h2>
      {props.children && <p>{props.children}</p>}
      {props.actions && <div className="inline">{props.actions}</div>}
    </div>
  );
}

export function ErrorState({ title, error, onRetry }: { title: string; error: string; onRetry?: () => void }) {
  return (
    <EmptyState icon={CircleAlert} title={title} actions={onRetry && <Button onClick={onRetry}>Try again</Button>}>
      {error}
    </EmptyState>
  );
}

export function Loading({ lines = 4, label }: { lines?: number; label: string }) {
  const widths = [72, 54, 63, 41, 68, 50];
  return (
    <div role="status" aria-label={label} style={{ display: 'grid', gap: 14, padding: 16 }}>
      {Array.from({ length: lines }, (_, line) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the lines are all alike and never move
        <div key={line} className="skeleton" style={{ width: `${widths[line % widths.length]}%` }} />
      ))}
    </div>
  );
}

/** Three figures side by side; `null` shows as "no data". */
export function Signals({ figures }: { figures: readonly { value: string | null; unit: string }[] }) {
  return (
    <div className="signals">
      {figures.map(({ value, unit }) => (
        <div key={unit}>
          {value === null ? <b className="nodata">no data</b> : <b>{value}</b>}
          <small>{unit}</small>
        </div>
      ))}
    </div>
  );
}

import type { LucideIcon } from 'lucide-react';
import type { CSSProperties, ReactNode } from 'react';

export type Tone = 'neutral' | 'ok' | 'warn' | 'error' | 'fault' | 'accent';

export function Chip(props: {
  tone?: Tone;
  icon?: LucideIcon;
  mono?: boolean;
  title?: string | undefined;
  children: ReactNode;
}) {
  const Icon = props.icon;
  return (
    <span className={`chip ${props.tone ?? 'neutral'} ${props.mono ? 'mono' : ''}`} title={props.title}>
      {Icon && <Icon aria-hidden />}
      {props.children}
    </span>
  );
}

/** The colour that stands for a version everywhere: by its place among the service's versions. */
export function subsetColor(version: string | null, versions: readonly string[]): string {
  const sorted = [...versions].sort((left, right) => left.localeCompare(right, 'en', { numeric: true }));
  const place = version === null ? 0 : Math.max(0, sorted.indexOf(version));
  return `var(--subset-${(place % 5) + 1})`;
}

export function VersionChip({ version, versions }: { version: string | null; versions: readonly string[] }) {
  return (
    <span className="chip subset" style={{ '--subset': subsetColor(version, versions) } as CSSProperties}>
      {version ?? 'no version'}
    </span>
  );
}

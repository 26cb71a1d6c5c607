import type { LucideIcon } from 'lucide-react';

export interface PaletteAction {
  readonly group: string;
  readonly name: string;
  readonly icon: LucideIcon;
  /** Shown at the right; tells actions of one name apart. */
  readonly hint?: string;
  readonly keywords?: readonly string[];
  run(): void;
}

import { Menu as BaseMenu } from '@base-ui/react/menu';
import { Ellipsis, type LucideIcon } from 'lucide-react';

export interface MenuAction {
  readonly label: string;
  readonly icon: LucideIcon;
  readonly danger?: boolean;
  readonly disabled?: boolean;
  run(): void;
}

/** The three dots at the end of a row. */
export function RowMenu({ label, actions }: { label: string; actions: readonly MenuAction[] }) {
  return (
    <BaseMenu.Root>
      <BaseMenu.Trigger className="btn ghost icon" aria-label={label} title={label}>
        <Ellipsis strokeWidth={1.7} aria-hidden />
      </BaseMenu.Trigger>
      <BaseMenu.Portal>
        <BaseMenu.Positioner className="menu-positioner" side="bottom" align="end" sideOffset={4}>
          <BaseMenu.Popup className="menu">
            {actions.map(({ label: text, icon: Icon, danger, disabled, run }) => (
              <BaseMenu.Item
                key={text}
                className={`menu-item ${danger ? 'danger' : ''}`}
                disabled={disabled ?? false}
                onClick={run}
              >
                <Icon aria-hidden />
                {text}
              </BaseMenu.Item>
            ))}
          </BaseMenu.Popup>
        </BaseMenu.Positioner>
      </BaseMenu.Portal>
    </BaseMenu.Root>
  );
}

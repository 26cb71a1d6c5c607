import type { LucideIcon } from 'lucide-react';
import type { ComponentProps } from 'react';

export type ButtonProps = ComponentProps<'button'> & {
  variant?: 'default' | 'primary' | 'ghost' | 'fault' | 'danger';
  icon?: LucideIcon;
  /** Shows a spinner and refuses clicks while the action runs. */
  busy?: boolean;
  large?: boolean;
};

export function Button({
  variant = 'default',
  icon: Icon,
  busy = false,
  large,
  children,
  className,
  ...rest
}: ButtonProps) {
  const classes = ['btn', variant, large ? 'large' : '', className ?? ''].join(' ');
  return (
    <button type="button" {...rest} className={classes} disabled={rest.disabled || busy} aria-busy={busy || undefined}>
      {busy ? <span className="spinner" /> : Icon && <Icon strokeWidth={1.7} aria-hidden />}
      {children}
    </button>
  );
}

export function IconButton({ label, icon, ...rest }: Omit<ButtonProps, 'icon'> & { label: string; icon: LucideIcon }) {
  return <Button variant="ghost" {...rest} icon={icon} className="icon" aria-label={label} title={label} />;
}

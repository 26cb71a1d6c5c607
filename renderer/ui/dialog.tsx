import { Dialog as BaseDialog } from '@base-ui/react/dialog';
import { X } from 'lucide-react';
import type { CSSProperties, ReactNode } from 'react';
import { Button, IconButton } from './button.tsx';

export interface DialogProps {
  title: string;
  description?: ReactNode;
  /** CSS width; 440px by default. */
  width?: string;
  footer?: ReactNode;
  children?: ReactNode;
  onClose(): void;
}

/** Modal; focus is trapped and goes back to where it came from, Escape closes. */
export function Dialog({ title, description, width, footer, children, onClose }: DialogProps) {
  return (
    <BaseDialog.Root open onOpenChange={(open) => open || onClose()}>
      <BaseDialog.Portal>
        <BaseDialog.Backdrop className="backdrop" />
        <BaseDialog.Popup className="dialog" style={width ? ({ '--dialog-width': width } as CSSProperties) : undefined}>
          <header>
            <div className="grow">
              <BaseDialog.Title>{title}</BaseDialog.Title>
              {description && <BaseDialog.Description>{description}</BaseDialog.Description>}
            </div>
            <IconButton label="Close" icon={X} onClick={onClose} />
          </header>
          {children && <div className="content">{children}</div>}
          {footer && <footer>{footer}</footer>}
        </BaseDialog.Popup>
      </BaseDialog.Portal>
    </BaseDialog.Root>
  );
}

/** Asks once before something that cannot be taken back. */
export function ConfirmDialog(props: {
  title: string;
  text: ReactNode;
  action: string;
  busy?: boolean;
  onConfirm(): void;
  onClose(): void;
}) {
  const footer = (
    <>
      <Button onClick={props.onClose}>Cancel</Button>
      <Button variant="danger" busy={props.busy ?? false} onClick={props.onConfirm}>
        {props.action}
      </Button>
    </>
  );
  return <Dialog title={props.title} description={props.text} onClose={props.onClose} footer={footer} />;
}

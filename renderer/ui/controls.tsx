import { Switch as BaseSwitch } from '@base-ui/react/switch';
import { Search } from 'lucide-react';
import { type CSSProperties, type ReactNode, useId } from 'react';

export interface SwitchProps {
  label: string;
  checked: boolean;
  disabled?: boolean;
  tone?: 'accent' | 'fault';
  title?: string | undefined;
  onChange(checked: boolean): void;
}

export function Switch({ label, checked, disabled = false, tone = 'accent', title, onChange }: SwitchProps) {
  return (
    <BaseSwitch.Root
      className={`switch ${tone}`}
      aria-label={label}
      title={title}
      checked={checked}
      disabled={disabled}
      onCheckedChange={onChange}
      nativeButton
      render={<button type="button" />}
    />
  );
}

/** A row of choices of which one is pressed. */
export function Segmented<T extends string>(props: {
  label: string;
  value: T;
  options: readonly { value: NoInfer<T>; label: string; title?: string }[];
  onChange(value: NoInfer<T>): void;
}) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset cannot be laid out inline in a toolbar
    <div className="seg" role="group" aria-label={props.label} data-arrows="horizontal">
      {props.options.map(({ value, label, title }) => (
        <button
          key={value}
          type="button"
          title={title}
          aria-pressed={value === props.value}
          onClick={() => props.onChange(value)}
        >
          {label}
        </button>
      ))}
    </div>
  );
}

export function SearchBox(props: {
  label: string;
  placeholder: string;
  /** What can be typed, where that is more than words. */
  help?: string;
  value: string;
  onChange(value: string): void;
}) {
  return (
    <div className="searchbox">
      <Search aria-hidden />
      <input
        className="input"
        type="search"
        aria-label={props.label}
        aria-description={props.help}
        title={props.help}
        placeholder={props.placeholder}
        value={props.value}
        onChange={({ target }) => props.onChange(target.value)}
      />
    </div>
  );
}

/** A label over a control, with help or the problem under it. */
export function Field(props: {
  label: string;
  problem?: string | null | undefined;
  help?: string;
  children: (ids: { id: string; describedBy: string | undefined; invalid: boolean }) => ReactNode;
}) {
  const id = useId();
  const text = props.problem ?? props.help;
  return (
    <div className="field">
      <label htmlFor={id}>{props.label}</label>
      {props.children({ id, describedBy: text ? `${id}-text` : undefined, invalid: Boolean(props.problem) })}
      {text && (
        <span
          id={`${id}-text`}
          className={props.problem ? 'problem' : 'help'}
          role={props.problem ? 'alert' : undefined}
        >
          {text}
        </span>
      )}
    </div>
  );
}

export interface RangeProps {
  label: string;
  value: number;
  disabled?: boolean;
  color?: string;
  onChange(value: number): void;
}

/** 0 to 100 in whole steps; arrow keys move by 1, Page Up and Down by 10. */
export function Range({ label, value, disabled = false, color = 'var(--accent)', onChange }: RangeProps) {
  return (
    <input
      className="range"
      type="range"
      min={0}
      max={100}
      step={1}
      aria-label={label}
      aria-valuetext={`${value} %`}
      value={value}
      disabled={disabled}
      style={{ '--fill': color, '--value': `${value}%` } as CSSProperties}
      onChange={({ target }) => onChange(Number(target.value))}
    />
  );
}

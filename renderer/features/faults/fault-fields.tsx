import { Field, Segmented } from '../../ui/controls.tsx';
import { type FaultForm, type FaultProblems, type TriggerKind, valuesOf } from './fault-form.ts';
import { type FaultKind, faultKind, faultKinds, type KindField } from './fault-kinds.ts';

export interface FormPart {
  form: FaultForm;
  problems: FaultProblems;
  onChange(part: Partial<FaultForm>): void;
}

const short = [
  { value: 'delay', label: 'delay', title: 'wait before the request goes on' },
  { value: 'abort', label: 'abort', title: 'answer with a status instead of the service' },
  { value: 'more', label: 'more', title: 'bodies, headers, connections, names, workloads, certificates' },
] as const;
const groups = ['Delay', 'Answer', 'TCP', 'DNS', 'Workload', 'Identity'] as const;

/** Which kind of fault, and what that kind asks for. */
export function KindFields({ form, problems, onChange }: FormPart) {
  const kind = faultKind(form.kind);
  const isShort = kind.name === 'delay' || kind.name === 'abort';
  const choose = (name: string) => onChange(valuesOf(faultKind(name)));
  return (
    <>
      <div className="field">
        <span>Kind</span>
        <Segmented
          label="Kind"
          value={isShort ? kind.name : 'more'}
          options={short}
          onChange={(name) => choose(name === 'more' ? 'delay-uniform' : name)}
        />
      </div>
      {!isShort && <KindChoice kind={kind} onChange={choose} />}
      {kind.fields.map((field) => (
        <ValueField
          key={field.name}
          field={field}
          value={form.values[field.name] ?? ''}
          problem={problems[field.name]}
          onChange={(value) => onChange({ values: { ...form.values, [field.name]: value } })}
        />
      ))}
    </>
  );
}

function KindChoice({ kind, onChange }: { kind: FaultKind; onChange(name: string): void }) {
  return (
    <Field label="What">
      {({ id }) => (
        <select id={id} className="input" value={kind.name} onChange={({ target }) => onChange(target.value)}>
          {groups.map((group) => (
            <optgroup key={group} label={group}>
              {faultKinds
                .filter((one) => one.group === group)
                .map(({ name, label }) => (
                  <option key={name} value={name}>
                    {label}
                  </option>
                ))}
            </optgroup>
          ))}
        </select>
      )}
    </Field>
  );
}

function ValueField(props: {
  field: KindField;
  value: string;
  problem: string | undefined;
  onChange(value: string): void;
}) {
  const { field, value, problem, onChange } = props;
  const { label, unit, help, type, options } = field;
  const texts = { label, problem, ...(help === '' ? {} : { help }) };
  if (type === 'whole') return <NumberField {...texts} unit={unit} value={value} onChange={onChange} />;
  return (
    <Field {...texts}>
      {({ id, invalid, describedBy }) => {
        const common = { id, className: 'input', value, 'aria-invalid': invalid, 'aria-describedby': describedBy };
        if (type === 'lines')
          return <textarea {...common} rows={3} onChange={({ target }) => onChange(target.value)} />;
        if (type === 'text') return <input {...common} onChange={({ target }) => onChange(target.value)} />;
        return (
          <select {...common} onChange={({ target }) => onChange(target.value)}>
            {options.map((option) => (
              <option key={option}>{option}</option>
            ))}
          </select>
        );
      }}
    </Field>
  );
}

const triggers: readonly { value: TriggerKind; label: string }[] = [
  { value: 'always', label: 'always' },
  { value: 'first', label: 'the first so many' },
  { value: 'every', label: 'every so many-th' },
  { value: 'retries', label: 'repetitions only' },
  { value: 'window', label: 'between two times' },
];

/** When it acts and on what, beyond the share: closed unless something of it is set. */
export function TimingFields({ form, problems, onChange }: FormPart) {
  const { isHttp } = faultKind(form.kind);
  const { trigger, onSeconds, port, path, seed } = form;
  const isSet = trigger !== 'always' || [onSeconds, port, path].some((text) => text !== '');
  const number = (label: string, unit: string, name: keyof FaultForm & string, help?: string) => (
    <NumberField
      label={label}
      unit={unit}
      value={String(form[name])}
      problem={problems[name]}
      {...(help === undefined ? {} : { help })}
      onChange={(value) => onChange({ [name]: value })}
    />
  );
  return (
    <details className="fault-more" open={isSet || undefined}>
      <summary>When, and on what</summary>
      <div className="fault-form">
        <Field label="Acts on">
          {({ id }) => (
            <select
              id={id}
              className="input"
              value={trigger}
              onChange={({ target }) => onChange({ trigger: target.value as TriggerKind })}
            >
              {triggers
                .filter(({ value }) => isHttp || value !== 'retries')
                .map(({ value, label }) => (
                  <option key={value} value={value}>
                    {label}
                  </option>
                ))}
            </select>
          )}
        </Field>
        {(trigger === 'first' || trigger === 'every') && number('Count', '', 'count')}
        {trigger === 'window' && number('From', 's', 'windowFrom', 'After it was switched on.')}
        {trigger === 'window' && number('Until', 's', 'windowUntil')}
        {number('On for', 's', 'onSeconds', 'In turns; empty: all the time.')}
        {number('Off for', 's', 'offSeconds')}
        {number('Port', '', 'port', 'Empty: every port.')}
        {isHttp && (
          <Field label="Path begins with" help="Empty: every path.">
            {({ id }) => (
              <input
                id={id}
                className="input"
                value={path}
                onChange={({ target }) => onChange({ path: target.value })}
              />
            )}
          </Field>
        )}
        {number('Seed', '', 'seed', seed === '' ? 'Same seed, same draws.' : undefined)}
      </div>
    </details>
  );
}

export function NumberField(props: {
  label: string;
  unit: string;
  value: string;
  problem: string | undefined;
  help?: string;
  onChange(value: string): void;
}) {
  return (
    <Field label={props.label} problem={props.problem} {...(props.help ? { help: props.help } : {})}>
      {({ id, invalid, describedBy }) => (
        <span className="affix">
          <input
            id={id}
            className="input"
            inputMode="decimal"
            value={props.value}
            aria-invalid={invalid}
            aria-describedby={describedBy}
            onChange={({ target }) => props.onChange(target.value)}
          />
          <i>{props.unit}</i>
        </span>
      )}
    </Field>
  );
}

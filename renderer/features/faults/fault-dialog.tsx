import { Zap } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import { attempt, useAccess, useMesh } from '../../state/mesh-context.tsx';
import type { FaultDraft } from '../../state/navigation.ts';
import { showToast } from '../../state/toasts.ts';
import { serviceKeyOf } from '../../state/topology-names.ts';
import { Button } from '../../ui/button.tsx';
import { Field, Range, Segmented } from '../../ui/controls.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { serviceName } from '../../ui/format.ts';
import { checkForm, type FaultForm, type FaultProblems, toForm, toInput } from './fault-form.ts';

const kinds = [
  { value: 'delay', label: 'delay', title: 'wait before the request goes on' },
  { value: 'abort', label: 'abort', title: 'answer with a status instead of the service' },
] as const;

/** Makes a fault, or changes one (`draft.id`). It is switched on at once. */
export function FaultDialog({ draft, onClose }: { draft: FaultDraft; onClose(): void }) {
  const { client } = useAccess();
  const [form, setForm] = useState(() => toForm(draft));
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const problems = checkForm(form);
  const shown: FaultProblems = tried ? problems : {};
  const change = (part: Partial<FaultForm>) => setForm((old) => ({ ...old, ...part }));

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (Object.keys(problems).length > 0) return;
    setBusy(true);
    const fault = await attempt('The fault was not set', () => client.call('fault.set', toInput(form, draft)));
    setBusy(false);
    if (!fault) return;
    showToast('ok', `Fault on: ${form.from ? serviceName(form.from) : 'every caller'} → ${serviceName(form.to)}`);
    onClose();
  };

  return (
    <Dialog
      title={draft.id ? 'Change fault' : 'New fault'}
      description="Harm on purpose, for one edge. It ends by itself, also when this app is killed."
      width="480px"
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button variant="fault" icon={Zap} busy={busy} type="submit" form="fault-form">
            Inject fault
          </Button>
        </>
      }
    >
      <form id="fault-form" className="fault-form" noValidate onSubmit={(event) => void submit(event)}>
        <EndFields form={form} problems={shown} onChange={change} />
        <div className="field">
          <span>Kind</span>
          <Segmented label="Kind" value={form.kind} options={kinds} onChange={(kind) => change({ kind })} />
        </div>
        <StrengthField form={form} problems={shown} onChange={change} />
        <ShareField form={form} problems={shown} onChange={change} />
        <NumberField
          label="Duration"
          unit="s"
          value={form.durationSeconds}
          problem={shown.durationSeconds}
          help="Empty: until it is cleared."
          onChange={(durationSeconds) => change({ durationSeconds })}
        />
      </form>
    </Dialog>
  );
}

interface Part {
  form: FaultForm;
  problems: FaultProblems;
  onChange(part: Partial<FaultForm>): void;
}

function EndFields({ form, problems, onChange }: Part) {
  const topology = useMesh((data) => data.topology);
  const workloads = useMesh((data) => data.workloads);
  const known = [
    ...(topology?.nodes ?? []).filter(({ kind }) => kind === 'service').map(serviceKeyOf),
    ...workloads.filter(({ mesh }) => mesh !== 'detached').map(serviceKeyOf),
    ...[form.from, form.to].filter((key) => key !== ''),
  ];
  const services = [...new Set(known)].sort();
  return (
    <>
      <Field label="From" problem={problems.from}>
        {({ id }) => (
          <select
            id={id}
            className="input"
            value={form.from}
            onChange={({ target }) => onChange({ from: target.value })}
          >
            <option value="">every caller</option>
            {services.map((key) => (
              <option key={key}>{key}</option>
            ))}
          </select>
        )}
      </Field>
      <Field label="To" problem={problems.to}>
        {({ id, invalid, describedBy }) => (
          <select
            id={id}
            className="input"
            value={form.to}
            aria-invalid={invalid}
            aria-describedby={describedBy}
            onChange={({ target }) => onChange({ to: target.value })}
          >
            <option value="">choose a service</option>
            {services.map((key) => (
              <option key={key}>{key}</option>
            ))}
          </select>
        )}
      </Field>
    </>
  );
}

function StrengthField({ form, problems, onChange }: Part) {
  if (form.kind === 'delay') {
    return (
      <NumberField
        label="Delay"
        unit="ms"
        value={form.delayMs}
        problem={problems.delayMs}
        onChange={(delayMs) => onChange({ delayMs })}
      />
    );
  }
  return (
    <NumberField
      label="HTTP status"
      unit=""
      value={form.httpStatus}
      problem={problems.httpStatus}
      onChange={(httpStatus) => onChange({ httpStatus })}
    />
  );
}

function ShareField({ form, problems, onChange }: Part) {
  return (
    <div className="fault-share">
      <Range
        label="Share of requests, slider"
        color="var(--fault)"
        value={Math.min(100, Math.max(0, Number(form.percent) || 0))}
        onChange={(percent) => onChange({ percent: String(percent) })}
      />
      <NumberField
        label="Share of requests"
        unit="%"
        value={form.percent}
        problem={problems.percent}
        onChange={(percent) => onChange({ percent })}
      />
    </div>
  );
}

function NumberField(props: {
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

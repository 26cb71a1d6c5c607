import { Zap } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import { attempt, useAccess, useMesh } from '../../state/mesh-context.tsx';
import type { FaultDraft } from '../../state/navigation.ts';
import { showToast } from '../../state/toasts.ts';
import { serviceKeyOf } from '../../state/topology-names.ts';
import { Button } from '../../ui/button.tsx';
import { Field, Range } from '../../ui/controls.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { serviceName } from '../../ui/format.ts';
import { type FormPart, KindFields, NumberField, TimingFields } from './fault-fields.tsx';
import { checkForm, type FaultForm, type FaultProblems, toForm, toInput } from './fault-form.ts';
import { faultKind } from './fault-kinds.ts';

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
        <KindFields form={form} problems={shown} onChange={change} />
        {faultKind(form.kind).share !== null && <ShareField form={form} problems={shown} onChange={change} />}
        <NumberField
          label="Duration"
          unit="s"
          value={form.durationSeconds}
          problem={shown['durationSeconds']}
          help="Empty: until it is cleared."
          onChange={(durationSeconds) => change({ durationSeconds })}
        />
        <TimingFields form={form} problems={shown} onChange={change} />
      </form>
    </Dialog>
  );
}

function EndFields({ form, problems, onChange }: FormPart) {
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
      <Field label="From" problem={problems['from']}>
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
      <Field label="To" problem={problems['to']}>
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

function ShareField({ form, problems, onChange }: FormPart) {
  const { share } = faultKind(form.kind);
  return (
    <div className="fault-share">
      <Range
        label={`Share of ${share}, slider`}
        color="var(--fault)"
        value={Math.min(100, Math.max(0, Number(form.percent) || 0))}
        onChange={(percent) => onChange({ percent: String(percent) })}
      />
      <NumberField
        label={`Share of ${share}`}
        unit="%"
        value={form.percent}
        problem={problems['percent']}
        onChange={(percent) => onChange({ percent })}
      />
    </div>
  );
}

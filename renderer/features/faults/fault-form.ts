/** What a user typed for a fault -> what the contract takes, or what is wrong with it, per field. Pure. */
import type { MethodInput } from '../../../core/contract/contract.ts';
import type { FaultDraft } from '../../state/navigation.ts';

export interface FaultForm {
  from: string;
  to: string;
  kind: 'delay' | 'abort';
  /** Milliseconds of a delay. */
  delayMs: string;
  httpStatus: string;
  percent: string;
  /** Seconds; empty: until it is cleared. */
  durationSeconds: string;
}

export type FaultProblems = Partial<Record<keyof FaultForm, string>>;

export function toForm(draft: FaultDraft): FaultForm {
  const delay = draft.kind !== 'abort' && draft.strength !== undefined ? draft.strength : 400;
  const status = draft.kind === 'abort' && draft.strength !== undefined ? draft.strength : 503;
  return {
    from: draft.from ?? '',
    to: draft.to,
    kind: draft.kind ?? 'delay',
    delayMs: String(delay),
    httpStatus: String(status),
    percent: String(draft.percent ?? 30),
    durationSeconds: draft.durationMs === null ? '' : String((draft.durationMs ?? 60_000) / 1000),
  };
}

export function checkForm(form: FaultForm): FaultProblems {
  const problems: FaultProblems = {};
  if (form.to === '') problems.to = 'Choose the service that is called.';
  else if (form.to === form.from) problems.to = 'A service does not call itself; choose another one.';
  if (form.kind === 'delay' && !isWhole(form.delayMs, 1, 3_600_000))
    problems.delayMs = 'Whole milliseconds, 1 to 3,600,000.';
  if (form.kind === 'abort' && !isWhole(form.httpStatus, 200, 599)) problems.httpStatus = 'An HTTP status, 200 to 599.';
  const percent = Number(form.percent);
  if (form.percent.trim() === '' || !(percent >= 0 && percent <= 100)) problems.percent = 'A share of 0 to 100 %.';
  if (form.durationSeconds !== '' && !(Number(form.durationSeconds) >= 0.001))
    problems.durationSeconds = 'Seconds above 0, or empty.';
  return problems;
}

const isWhole = (text: string, least: number, most: number) =>
  /^\d+$/.test(text.trim()) && Number(text) >= least && Number(text) <= most;

/** Only for a form without problems. */
export function toInput(form: FaultForm, draft: FaultDraft): MethodInput<'fault.set'> {
  return {
    ...(draft.id === undefined ? {} : { id: draft.id }),
    from: form.from === '' ? null : form.from,
    to: form.to,
    route: draft.route ?? null,
    action:
      form.kind === 'delay'
        ? { kind: 'delay', delayMs: Number(form.delayMs) }
        : { kind: 'abort', httpStatus: Number(form.httpStatus) },
    percent: Number(form.percent),
    durationMs: form.durationSeconds === '' ? null : Math.round(Number(form.durationSeconds) * 1000),
    enabled: true,
  };
}

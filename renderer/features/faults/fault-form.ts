/** What a user typed for a fault -> what the contract takes, or what is wrong with it, per field. Pure. */
import type { MethodInput } from '../../../core/contract/contract.ts';
import type { FaultDraft } from '../../state/navigation.ts';
import { type FaultKind, type FaultSpec, faultKind, faultKinds, type KindField } from './fault-kinds.ts';

export type TriggerKind = 'always' | 'first' | 'every' | 'retries' | 'window';

export interface FaultForm {
  from: string;
  to: string;
  /** Of fault-kinds.ts. */
  kind: string;
  /** Its fields, by name. */
  values: Readonly<Record<string, string>>;
  percent: string;
  /** Seconds; empty: until it is cleared. */
  durationSeconds: string;
  trigger: TriggerKind;
  /** Of `first` and `every`. */
  count: string;
  /** Seconds, of `window`. */
  windowFrom: string;
  windowUntil: string;
  /** Seconds of a schedule; both empty: none. */
  onSeconds: string;
  offSeconds: string;
  port: string;
  path: string;
  seed: string;
}

/** By field of the form, or of the kind. */
export type FaultProblems = Readonly<Record<string, string>>;

type Scope = Omit<FaultForm, 'from' | 'to' | 'kind' | 'values' | 'percent' | 'durationSeconds'>;
/** Every request, all the time. */
const plain: Scope = {
  ...{ count: '1', windowFrom: '0', windowUntil: '60', onSeconds: '', offSeconds: '' },
  ...{ port: '', path: '', seed: '' },
  trigger: 'always',
};

export function toForm(draft: FaultDraft): FaultForm {
  const { from, to, spec } = draft;
  const ends = { from: from ?? '', to, ...plain };
  if (spec !== undefined) return { ...ends, ...fromSpec(spec) };
  return { ...ends, ...valuesOf(faultKind(draft.kind ?? 'delay')), percent: '30', durationSeconds: '60' };
}

/** A kind with the values that it begins with. */
export function valuesOf(kind: FaultKind): Pick<FaultForm, 'kind' | 'values'> {
  return { kind: kind.name, values: Object.fromEntries(kind.fields.map(({ name, initial }) => [name, initial])) };
}

/** Whether the form can show a fault as it is; others are changed in their file. */
export function canEdit(spec: FaultSpec): boolean {
  const draft = { from: spec.from ?? null, to: spec.to, spec, route: spec.route ?? null };
  const form = toForm(draft);
  if (Object.keys(checkForm(form)).length > 0) return false;
  return JSON.stringify(sorted(toSpec(form, draft))) === JSON.stringify(sorted(spec));
}

export function checkForm(form: FaultForm): FaultProblems {
  const problems: Record<string, string> = {};
  const kind = faultKind(form.kind);
  if (form.to === '') problems['to'] = 'Choose the service that is called.';
  else if (form.to === form.from) problems['to'] = 'A service does not call itself; choose another one.';
  for (const field of kind.fields) {
    const problem = checkField(field, form.values[field.name] ?? '');
    if (problem !== null) problems[field.name] = problem;
  }
  const percent = Number(form.percent);
  if (kind.share !== null && (form.percent.trim() === '' || !(percent >= 0 && percent <= 100)))
    problems['percent'] = 'A share of 0 to 100 %.';
  if (form.durationSeconds !== '' && !(Number(form.durationSeconds) >= 0.001))
    problems['durationSeconds'] = 'Seconds above 0, or empty.';
  return { ...problems, ...checkTiming(form) };
}

function checkField({ type, least, most, optional }: KindField, text: string): string | null {
  if (optional && text === '') return null;
  if (type !== 'whole') return text === '' ? 'Write something.' : null;
  if (isWhole(text, least, most)) return null;
  return most === Number.MAX_SAFE_INTEGER
    ? `A whole number, at least ${least}.`
    : `A whole number, ${least.toLocaleString('en-US')} to ${most.toLocaleString('en-US')}.`;
}

function checkTiming(form: FaultForm): FaultProblems {
  const problems: Record<string, string> = {};
  const { trigger, count, windowFrom, windowUntil, onSeconds, offSeconds, port, seed } = form;
  if ((trigger === 'first' || trigger === 'every') && !isWhole(count, 1, Number.MAX_SAFE_INTEGER))
    problems['count'] = 'A whole number, at least 1.';
  if (
    trigger === 'window' &&
    !(windowFrom !== '' && Number(windowFrom) >= 0 && Number(windowUntil) > Number(windowFrom))
  )
    problems['windowUntil'] = 'Later than its beginning.';
  if ((onSeconds !== '' || offSeconds !== '') && !(Number(onSeconds) > 0 && Number(offSeconds) > 0))
    problems['offSeconds'] = 'Seconds above 0 for both, or both empty.';
  if (port !== '' && !isWhole(port, 1, 65_535)) problems['port'] = 'A port, 1 to 65,535, or empty.';
  if (seed !== '' && !/^-?\d+$/.test(seed)) problems['seed'] = 'A whole number, or empty.';
  return problems;
}

const isWhole = (text: string, least: number, most: number) =>
  /^\d+$/.test(text.trim()) && Number(text) >= least && Number(text) <= most;

/** Only for a form without problems. */
export function toInput(form: FaultForm, draft: FaultDraft): MethodInput<'fault.set'> {
  return { ...(draft.id === undefined ? {} : { id: draft.id }), spec: toSpec(form, draft), enabled: true };
}

function toSpec(form: FaultForm, { route = null }: FaultDraft): FaultSpec {
  const { from, to, values, percent, durationSeconds, port, path, seed, onSeconds, offSeconds } = form;
  const kind = faultKind(form.kind);
  const trigger = toTrigger(form);
  // Others are of the service itself, whoever calls.
  const isOfTraffic = kind.share !== null;
  return {
    ...(from === '' || !isOfTraffic ? {} : { from }),
    to,
    ...(port === '' || !isOfTraffic ? {} : { port: Number(port) }),
    ...(route === null || !kind.isHttp ? {} : { route }),
    ...(path === '' || !kind.isHttp ? {} : { match: [{ uri: { prefix: path } }] }),
    fault: kind.toFault(values, Number(percent)),
    ...(trigger === undefined ? {} : { trigger }),
    ...(onSeconds === '' ? {} : { schedule: { on: seconds(onSeconds), off: seconds(offSeconds) } }),
    ...(durationSeconds === '' ? {} : { duration: seconds(durationSeconds) }),
    ...(seed === '' ? {} : { seed: Number(seed) }),
  };
}

/** Not what the kind cannot have: repetitions are of requests, and workloads have nothing to count. */
function toTrigger({ kind, trigger, count, windowFrom, windowUntil }: FaultForm): FaultSpec['trigger'] {
  const { isHttp, group } = faultKind(kind);
  if (group === 'Workload' && trigger !== 'window') return undefined;
  if (trigger === 'retries' && !isHttp) return undefined;
  if (trigger === 'first') return { first: Number(count) };
  if (trigger === 'every') return { every: Number(count) };
  if (trigger === 'retries') return { retriesOnly: true };
  return trigger === 'window' ? { window: { from: seconds(windowFrom), until: seconds(windowUntil) } } : undefined;
}

/** As the control plane writes durations. */
function seconds(text: string): string {
  const milliseconds = Math.round(Number(text) * 1_000);
  return milliseconds !== 0 && milliseconds < 1_000 ? `${milliseconds}ms` : `${milliseconds / 1_000}s`;
}

function toSeconds(duration: string | undefined): string {
  const [, number = '', unit = ''] = /^([\d.]+)(ms|s|m|h)$/.exec(duration ?? '') ?? [];
  const units: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3_600 };
  return number === '' ? '' : String(Math.round(Number(number) * (units[unit] ?? 1) * 1_000) / 1_000);
}

function fromSpec(spec: FaultSpec): Omit<FaultForm, 'from' | 'to'> {
  const { fault, duration, trigger, schedule, port, match, seed } = spec;
  const read = faultKinds.flatMap((kind) => {
    const values = kind.read(fault);
    return values === null ? [] : [{ kind: kind.name, values }];
  })[0] ?? { kind: 'delay', values: {} };
  const [block] = match ?? [];
  const path = block?.uri !== undefined && 'prefix' in block.uri ? block.uri.prefix : '';
  return {
    ...plain,
    ...read,
    percent: String(shareOf(fault)),
    durationSeconds: toSeconds(duration),
    ...fromTrigger(trigger),
    onSeconds: toSeconds(schedule?.on),
    offSeconds: toSeconds(schedule?.off),
    port: port === undefined ? '' : String(port),
    path: path ?? '',
    seed: seed === undefined ? '' : String(seed),
  };
}

function fromTrigger(trigger: FaultSpec['trigger']): Partial<Scope> {
  if (trigger?.first !== undefined) return { trigger: 'first', count: String(trigger.first) };
  if (trigger?.every !== undefined) return { trigger: 'every', count: String(trigger.every) };
  if (trigger?.retriesOnly !== undefined) return { trigger: 'retries' };
  if (trigger?.window === undefined) return {};
  const { from, until } = trigger.window;
  return { trigger: 'window', windowFrom: toSeconds(from), windowUntil: toSeconds(until) };
}

function shareOf(fault: FaultSpec['fault']): number {
  const [, share] = /"percentage":\{"value":([\d.]+)\}/.exec(JSON.stringify(fault)) ?? [];
  return share === undefined ? 100 : Number(share);
}

/** To be compared: keys in order, without what is undefined; durations in seconds. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value === 'string') return toSeconds(value) || value;
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, one]) => one !== undefined);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, one]) => [key, sorted(one)]));
}

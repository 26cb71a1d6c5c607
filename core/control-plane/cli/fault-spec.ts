/** Options of `fault set` -> what a FaultInjection says. Checked here as far as words go; the contract checks the rest. */
import type { MethodInput } from '../../contract/contract.ts';
import { formatDuration } from '../../model/duration.ts';
import type { FaultInjection } from '../../model/fault-injection.ts';
import { grpcStatusCode } from '../../model/grpc-status.ts';
import { usage } from './arguments.ts';

type Spec = FaultInjection['spec'];
type Fault = Spec['fault'];
type Given = Extract<MethodInput<'fault.set'>, { spec: unknown }>['spec'];

export interface FaultOptions {
  id?: string;
  from?: string;
  to: string;
  port?: number;
  route?: string;
  path?: string;
  header?: string[];
  percent: number;
  duration?: number;
  seed?: number;
  // Kinds.
  delay?: string;
  abort?: string;
  bandwidth?: number;
  requestHeader?: string[];
  responseHeader?: string[];
  body?: string;
  replace?: string[];
  truncate?: number;
  tcp?: string;
  dns?: string;
  workload?: string;
  identity?: string;
  // More of an abort.
  abortBody?: string;
  abortHeader?: string[];
  // When.
  first?: number;
  every?: number;
  retriesOnly?: boolean;
  window?: string;
  on?: string;
  off?: string;
  startAfter?: string;
}

export function toFaultSpec(options: FaultOptions): Given {
  const { from, to, port, route, duration, seed } = options;
  const match = toMatch(options);
  const trigger = toTrigger(options);
  const schedule = toSchedule(options);
  return {
    ...(from === undefined ? {} : { from }),
    to,
    ...(port === undefined ? {} : { port }),
    ...(route === undefined ? {} : { route }),
    ...(match === null ? {} : { match: [match] }),
    fault: toFault(options),
    ...(trigger === null ? {} : { trigger }),
    ...(schedule === null ? {} : { schedule }),
    ...(duration === undefined ? {} : { duration: formatDuration(duration) }),
    ...(seed === undefined ? {} : { seed }),
  };
}

/** `400ms`; `100ms..300ms`, any of them alike; `200ms~50ms`, mean and deviation; `p50=10ms,p99=1s`. */
export function parseDelay(text: string): Omit<NonNullable<Fault['delay']>, 'percentage'> {
  const [min, max] = text.split('..');
  if (min !== undefined && max !== undefined) return { uniformDelay: { min, max } };
  const [mean, deviation] = text.split('~');
  if (mean !== undefined && deviation !== undefined) return { normalDelay: { mean, deviation } };
  if (!text.startsWith('p')) return { fixedDelay: /^\d+(?:\.\d+)?$/.test(text) ? `${text}s` : text };
  const steps = toAttributes(text);
  if (steps['p50'] === undefined) return usage(`'${text}': percentiles begin with p50, like p50=10ms,p99=1s`);
  return { percentileDelay: { p50: steps['p50'], ...steps } };
}

function toFault(options: FaultOptions): Fault {
  const percentage = { value: options.percent };
  const { delay, abort, bandwidth, requestHeader, responseHeader, body, replace, truncate } = options;
  const kinds: Fault[] = [];
  if (delay !== undefined) kinds.push({ delay: { percentage, ...parseDelay(delay) } });
  if (abort !== undefined) kinds.push({ abort: { percentage, ...toAbort(abort, options) } });
  if (bandwidth !== undefined) kinds.push({ responseBandwidth: { percentage, kibPerSecond: bandwidth } });
  if (requestHeader !== undefined || responseHeader !== undefined) {
    const request = requestHeader === undefined ? {} : { request: toHeaderChange(requestHeader) };
    const response = responseHeader === undefined ? {} : { response: toHeaderChange(responseHeader) };
    kinds.push({ headers: { percentage, ...request, ...response } });
  }
  if (body !== undefined) kinds.push({ body: { percentage, set: body } });
  if (replace !== undefined) kinds.push({ body: { percentage, replace: replace.map(toReplacement) } });
  if (truncate !== undefined) kinds.push({ truncate: { percentage, afterBytes: truncate } });
  kinds.push(...belowHttp(options));
  const [only] = kinds;
  if (only !== undefined && kinds.length === 1) return only;
  return usage(
    'give exactly one kind: --delay, --abort, --bandwidth, --request-header/--response-header, --body, --replace, --truncate, --tcp, --dns, --workload or --identity',
  );
}

function toAbort(
  text: string,
  { abortBody, abortHeader }: FaultOptions,
): Omit<NonNullable<Fault['abort']>, 'percentage'> {
  const more = {
    ...(abortBody === undefined ? {} : { body: abortBody }),
    ...(abortHeader === undefined ? {} : { headers: Object.fromEntries(abortHeader.map((pair) => toPair(pair, '='))) }),
  };
  if (grpcStatusCode(text) !== null) return { grpcStatus: text, ...more };
  const status = Number(text);
  if (Number.isInteger(status) && status >= 200 && status <= 599) return { httpStatus: status, ...more };
  return usage(`'${text}': write an HTTP status between 200 and 599, or a gRPC status like UNAVAILABLE`);
}

/** `name=value` sets, `-name` removes. */
function toHeaderChange(texts: readonly string[]) {
  const remove = texts.filter((text) => text.startsWith('-')).map((text) => text.slice(1));
  const set = texts.filter((text) => !text.startsWith('-')).map((text) => toPair(text, '='));
  return {
    ...(remove.length === 0 ? {} : { remove }),
    ...(set.length === 0 ? {} : { set: Object.fromEntries(set) }),
  };
}

function toReplacement(text: string) {
  const [find, by] = toPair(text, '=');
  return { find, with: by };
}

function toPair(text: string, between: string): [string, string] {
  const at = text.indexOf(between);
  if (at <= 0) return usage(`'${text}': write NAME${between}VALUE`);
  return [text.slice(0, at), text.slice(at + between.length)];
}

/** `latency:latency=100ms,jitter=20ms`: kind and attributes as in a FaultInjection; numbers where digits are. */
function belowHttp({ tcp, dns, workload, identity, percent }: FaultOptions): Fault[] {
  const share = percent === 100 ? {} : { percentage: { value: percent } };
  // Kinds and attributes are checked by the contract, which knows them all.
  const faults: unknown[] = [];
  if (tcp !== undefined) faults.push({ tcp: toKind(tcp, share) });
  if (dns !== undefined) faults.push({ dns: toKind(dns, share) });
  if (workload !== undefined) faults.push({ workload: toKind(workload, {}) });
  if (identity !== undefined) faults.push({ identity: toKind(identity, {}) });
  return faults as Fault[];
}

function toKind(text: string, share: object): Record<string, object> {
  const [kind = '', attributes = ''] = text.split(/:(.*)/s);
  const values = Object.entries(attributes === '' ? {} : toAttributes(attributes)).map(
    ([name, value]): [string, string | number] => [name, /^\d+$/.test(value) ? Number(value) : value],
  );
  return { [kind]: { ...share, ...Object.fromEntries(values) } };
}

function toAttributes(text: string): Record<string, string> {
  return Object.fromEntries(text.split(',').map((pair) => toPair(pair, '=')));
}

function toMatch({ path, header = [] }: FaultOptions) {
  if (path === undefined && header.length === 0) return null;
  const pairs = header
    .map((text) => toPair(text, '='))
    .map(([name, exact]) => [name.toLowerCase(), { exact }] as const);
  return {
    ...(path === undefined ? {} : { uri: { prefix: path } }),
    ...(pairs.length === 0 ? {} : { headers: Object.fromEntries(pairs) }),
  };
}

function toTrigger({ first, every, retriesOnly, window }: FaultOptions): NonNullable<Spec['trigger']> | null {
  const triggers: NonNullable<Spec['trigger']>[] = [];
  if (first !== undefined) triggers.push({ first });
  if (every !== undefined) triggers.push({ every });
  if (retriesOnly === true) triggers.push({ retriesOnly: true });
  if (window !== undefined) {
    const [from, until] = toPair(window, '..');
    triggers.push({ window: { from, until } });
  }
  if (triggers.length > 1) usage('give one of --first, --every, --retries-only and --window');
  return triggers[0] ?? null;
}

function toSchedule({ on, off, startAfter }: FaultOptions): NonNullable<Spec['schedule']> | null {
  if (on === undefined && off === undefined && startAfter === undefined) return null;
  if (on === undefined || off === undefined) return usage('a schedule needs --on and --off');
  return { on, off, ...(startAfter === undefined ? {} : { startAfter }) };
}

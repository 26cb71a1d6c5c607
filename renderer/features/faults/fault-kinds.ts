/**
 * The kinds of fault that the dialog offers, one entry each: what it asks for, how that becomes a FaultInjection's `fault`, and
 * how it is read back. A new kind is one more entry.
 */
import type { FaultView } from '../../../core/contract/shapes.ts';

export type FaultSpec = FaultView['spec'];
type Fault = FaultSpec['fault'];
type Values = Readonly<Record<string, string>>;

export interface KindField {
  readonly name: string;
  readonly label: string;
  readonly unit: string;
  /** `whole`: a number of at least `least`; `lines`: several lines of text; `choice`: one of `options`. */
  readonly type: 'whole' | 'text' | 'lines' | 'choice';
  readonly least: number;
  readonly most: number;
  readonly initial: string;
  /** May be left empty. */
  readonly optional: boolean;
  readonly help: string;
  readonly options: readonly string[];
}

export interface FaultKind {
  readonly name: string;
  readonly label: string;
  readonly group: 'Delay' | 'Answer' | 'TCP' | 'DNS' | 'Workload' | 'Identity';
  /** What the percentage is of; `null`: it has none. */
  readonly share: 'requests' | 'connections' | 'questions' | null;
  /** Route, path, repetitions and the like are asked for. */
  readonly isHttp: boolean;
  readonly fields: readonly KindField[];
  toFault(values: Values, percent: number): Fault;
  /** `null`: the fault is of another kind. */
  read(fault: Fault): Values | null;
}

const field = (name: string, label: string, more: Partial<KindField> = {}): KindField => ({
  ...{ name, label, unit: '', type: 'whole', least: 0, most: Number.MAX_SAFE_INTEGER, initial: '', optional: false },
  ...{ help: '', options: [] },
  ...more,
});
const time = (name: string, label: string, initial: string, more: Partial<KindField> = {}) =>
  field(name, label, { unit: 'ms', least: 1, most: 3_600_000, initial, ...more });

const ms = (value: string | undefined) => `${value ?? '0'}ms`;
/** `1.5s` as `1500`; what no field can show as it is. */
function toMs(duration: string | undefined): string {
  const [, number = '', unit = ''] = /^([\d.]+)(ms|s|m|h)$/.exec(duration ?? '0ms') ?? [];
  const units: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
  return String(Number(number) * (units[unit] ?? Number.NaN));
}

type HttpKind = Omit<FaultKind, 'share' | 'isHttp'>;
const http = (kind: HttpKind): FaultKind => ({ ...kind, share: 'requests', isHttp: true });

const delays: readonly FaultKind[] = [
  http({
    ...{ name: 'delay', label: 'fixed', group: 'Delay' },
    fields: [time('delayMs', 'Delay', '400')],
    toFault: ({ delayMs }, value) => ({ delay: { percentage: { value }, fixedDelay: ms(delayMs) } }),
    read: ({ delay }) => (delay?.fixedDelay === undefined ? null : { delayMs: toMs(delay.fixedDelay) }),
  }),
  http({
    ...{ name: 'delay-uniform', label: 'anything between', group: 'Delay' },
    fields: [time('minMs', 'At least', '100', { least: 0 }), time('maxMs', 'At most', '500')],
    toFault: ({ minMs, maxMs }, value) => ({
      delay: { percentage: { value }, uniformDelay: { min: ms(minMs), max: ms(maxMs) } },
    }),
    read: ({ delay }) =>
      delay?.uniformDelay === undefined
        ? null
        : { minMs: toMs(delay.uniformDelay.min), maxMs: toMs(delay.uniformDelay.max) },
  }),
  http({
    ...{ name: 'delay-normal', label: 'around a mean', group: 'Delay' },
    fields: [time('meanMs', 'Mean', '300'), time('deviationMs', 'Deviation', '100', { least: 0 })],
    toFault: ({ meanMs, deviationMs }, value) => ({
      delay: { percentage: { value }, normalDelay: { mean: ms(meanMs), deviation: ms(deviationMs) } },
    }),
    read: ({ delay }) =>
      delay?.normalDelay === undefined
        ? null
        : { meanMs: toMs(delay.normalDelay.mean), deviationMs: toMs(delay.normalDelay.deviation) },
  }),
  http({
    ...{ name: 'delay-percentiles', label: 'by percentiles', group: 'Delay' },
    fields: [
      time('p50', 'p50', '20', { least: 0 }),
      time('p90', 'p90', '100', { least: 0 }),
      time('p99', 'p99', '1000', { least: 0 }),
    ],
    toFault: ({ p50, p90, p99 }, value) => ({
      delay: { percentage: { value }, percentileDelay: { p50: ms(p50), p90: ms(p90), p99: ms(p99) } },
    }),
    read: ({ delay }) =>
      delay?.percentileDelay === undefined
        ? null
        : {
            p50: toMs(delay.percentileDelay.p50),
            p90: toMs(delay.percentileDelay.p90),
            p99: toMs(delay.percentileDelay.p99),
          },
  }),
];

/** `name: value` sets, `-name` removes. */
function toChange(text: string) {
  const lines = text.split('\n').map((line) => line.trim());
  const remove = lines.filter((line) => line.startsWith('-')).map((line) => line.slice(1).trim());
  const set = lines.flatMap((line) => {
    const at = line.indexOf(':');
    return line.startsWith('-') || at <= 0 ? [] : [[line.slice(0, at).trim(), line.slice(at + 1).trim()] as const];
  });
  return {
    ...(set.length === 0 ? {} : { set: Object.fromEntries(set) }),
    ...(remove.length === 0 ? {} : { remove }),
  };
}

type Change = NonNullable<NonNullable<Fault['headers']>['request']>;
const toLines = ({ set = {}, remove = [] }: Change = {}): string =>
  [...Object.entries(set).map(([name, value]) => `${name}: ${value}`), ...remove.map((name) => `-${name}`)].join('\n');

const answers: readonly FaultKind[] = [
  http({
    ...{ name: 'abort', label: 'HTTP status instead', group: 'Answer' },
    fields: [field('httpStatus', 'HTTP status', { least: 200, most: 599, initial: '503' })],
    toFault: ({ httpStatus }, value) => ({ abort: { percentage: { value }, httpStatus: Number(httpStatus) } }),
    read: ({ abort }) => (abort?.httpStatus === undefined ? null : { httpStatus: String(abort.httpStatus) }),
  }),
  http({
    ...{ name: 'abort-grpc', label: 'gRPC status instead', group: 'Answer' },
    fields: [field('grpcStatus', 'gRPC status', { type: 'text', initial: 'UNAVAILABLE' })],
    toFault: ({ grpcStatus }, value) => ({ abort: { percentage: { value }, grpcStatus } }),
    read: ({ abort }) => (abort?.grpcStatus === undefined ? null : { grpcStatus: abort.grpcStatus }),
  }),
  http({
    ...{ name: 'bandwidth', label: 'slow body', group: 'Answer' },
    fields: [field('kib', 'Bandwidth', { unit: 'KiB/s', least: 1, initial: '64' })],
    toFault: ({ kib }, value) => ({ responseBandwidth: { percentage: { value }, kibPerSecond: Number(kib) } }),
    read: ({ responseBandwidth: rate }) => (rate === undefined ? null : { kib: String(rate.kibPerSecond) }),
  }),
  http({
    ...{ name: 'truncate', label: 'cut off', group: 'Answer' },
    fields: [field('bytes', 'After', { unit: 'bytes', initial: '1000' })],
    toFault: ({ bytes }, value) => ({ truncate: { percentage: { value }, afterBytes: Number(bytes) } }),
    read: ({ truncate }) => (truncate === undefined ? null : { bytes: String(truncate.afterBytes) }),
  }),
  http({
    ...{ name: 'body', label: 'another body', group: 'Answer' },
    fields: [field('text', 'Body', { type: 'lines', optional: true })],
    toFault: ({ text }, value) => ({ body: { percentage: { value }, set: text ?? '' } }),
    read: ({ body }) => (body?.set === undefined ? null : { text: body.set }),
  }),
  http({
    ...{ name: 'replace', label: 'text replaced', group: 'Answer' },
    fields: [field('find', 'Find', { type: 'text' }), field('with', 'Replace with', { type: 'text', optional: true })],
    toFault: ({ find = '', with: by = '' }, value) => ({
      body: { percentage: { value }, replace: [{ find, with: by }] },
    }),
    read: ({ body }) => {
      const [only] = body?.replace ?? [];
      return only === undefined ? null : { find: only.find, with: only.with };
    },
  }),
  http({
    ...{ name: 'headers', label: 'changed headers', group: 'Answer' },
    fields: [
      field('request', 'Of the request', { type: 'lines', optional: true, help: 'name: value sets, -name removes' }),
      field('response', 'Of the answer', { type: 'lines', optional: true, help: 'name: value sets, -name removes' }),
    ],
    toFault: ({ request = '', response = '' }, value) => ({
      headers: {
        percentage: { value },
        ...(request === '' ? {} : { request: toChange(request) }),
        ...(response === '' ? {} : { response: toChange(response) }),
      },
    }),
    read: ({ headers }) =>
      headers === undefined ? null : { request: toLines(headers.request), response: toLines(headers.response) },
  }),
];

const share = (percent: number) => (percent === 100 ? {} : { percentage: { value: percent } });
const stream = field('stream', 'Direction', {
  ...{ type: 'choice', initial: 'downstream', options: ['downstream', 'upstream'] },
  help: 'downstream: from the server to the caller',
});

interface ToxicField {
  readonly field: KindField;
  /** A duration in milliseconds, or a plain number. */
  readonly as: 'time' | 'number';
}
const timed = (name: string, label: string, initial: string, least = 1): ToxicField => ({
  field: time(name, label, initial, { least }),
  as: 'time',
});
const sized = (name: string, label: string, unit: string, initial: string, least = 0): ToxicField => ({
  field: field(name, label, { unit, initial, least }),
  as: 'number',
});

/** A toxic: its attributes are its fields, by name. */
function toxic(name: string, label: string, ...toxics: readonly ToxicField[]): FaultKind {
  const isRefusal = name === 'refuse';
  return {
    ...{ name: `tcp-${name}`, label, group: 'TCP', share: 'connections', isHttp: false },
    fields: [...toxics.map((one) => one.field), ...(isRefusal ? [] : [stream])],
    toFault(values, percent) {
      const attributes = toxics.map(({ field: { name: attribute }, as }): [string, string | number] => [
        attribute,
        as === 'time' ? ms(values[attribute]) : Number(values[attribute]),
      ]);
      const direction = values['stream'] === 'upstream' ? { stream: 'upstream' } : {};
      return { tcp: { [name]: { ...share(percent), ...direction, ...Object.fromEntries(attributes) } } } as Fault;
    },
    read({ tcp }) {
      const found = (tcp as Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>> | undefined)?.[
        name
      ];
      if (found === undefined) return null;
      const values = toxics.map(({ field: { name: attribute }, as }): [string, string] => [
        attribute,
        as === 'time' ? toMs(found[attribute] as string | undefined) : String(found[attribute] ?? 0),
      ]);
      return {
        ...Object.fromEntries(values),
        ...(isRefusal ? {} : { stream: String(found['stream'] ?? 'downstream') }),
      };
    },
  };
}

const toxics: readonly FaultKind[] = [
  toxic('latency', 'latency', timed('latency', 'Latency', '200'), timed('jitter', 'Jitter', '0', 0)),
  toxic('bandwidth', 'bandwidth', sized('kbPerSecond', 'Bandwidth', 'KB/s', '100')),
  toxic('slowClose', 'slow close', timed('delay', 'Delay', '1000')),
  toxic('timeout', 'timeout (nothing passes)', timed('timeout', 'Closes after (0: never)', '0', 0)),
  toxic('resetPeer', 'reset', timed('timeout', 'After', '0', 0)),
  toxic(
    'slicer',
    'slices',
    sized('averageBytes', 'Size', 'bytes', '100', 1),
    sized('variationBytes', 'Variation', 'bytes', '0'),
    timed('delay', 'Between', '10', 0),
  ),
  toxic('limitData', 'limited data', sized('bytes', 'Closes after', 'bytes', '10000')),
  toxic('refuse', 'refused connections'),
];

const plain = (
  group: 'DNS' | 'Workload' | 'Identity',
  key: 'dns' | 'workload' | 'identity',
  kind: string,
  label: string,
): FaultKind => ({
  ...{ name: `${key}-${kind}`, label, group, isHttp: false, fields: [] },
  share: key === 'dns' ? 'questions' : null,
  toFault: (_values, percent) => ({ [key]: { [kind]: key === 'dns' ? share(percent) : {} } }) as Fault,
  read: (fault) => (Object.keys(fault[key] ?? {})[0] === kind ? {} : null),
});

const others: readonly FaultKind[] = [
  plain('DNS', 'dns', 'nxdomain', 'name unknown'),
  plain('DNS', 'dns', 'servfail', 'server failure'),
  {
    ...{ name: 'dns-delay', label: 'slow answers', group: 'DNS', share: 'questions', isHttp: false },
    fields: [time('fixedDelay', 'Delay', '1000')],
    toFault: ({ fixedDelay }, percent) => ({ dns: { delay: { ...share(percent), fixedDelay: ms(fixedDelay) } } }),
    read: ({ dns }) => (dns?.delay === undefined ? null : { fixedDelay: toMs(dns.delay.fixedDelay) }),
  },
  plain('Workload', 'workload', 'pause', 'paused'),
  plain('Workload', 'workload', 'kill', 'killed'),
  plain('Workload', 'workload', 'restart', 'restarted'),
  plain('Identity', 'identity', 'expiredCertificate', 'expired certificate'),
  plain('Identity', 'identity', 'wrongSan', 'wrong SAN'),
  plain('Identity', 'identity', 'unknownCa', 'unknown CA'),
];

export const faultKinds: readonly FaultKind[] = [...delays, ...answers, ...toxics, ...others];

export function faultKind(name: string): FaultKind {
  const found = faultKinds.find((kind) => kind.name === name) ?? faultKinds[0];
  if (found === undefined) throw new Error('there are no kinds of fault');
  return found;
}

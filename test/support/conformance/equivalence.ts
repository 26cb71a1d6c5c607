import { type Field, type RequestMessage, type ResponseMessage, valuesOf } from './reference-parser.ts';

/** A request as an origin server understands it: what is only between two neighbours is left out. */
export interface UnderstoodRequest {
  readonly method: string;
  readonly target: string;
  readonly host: string;
  readonly fields: readonly Field[];
  readonly body: string;
  readonly trailers: readonly Field[];
  readonly te: string | null;
  readonly upgrade: string | null;
}

const ofThisHop = new Set([
  'host',
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'upgrade',
  'content-length',
  'transfer-encoding',
  // Added by the sidecar of a client that sent none.
  'x-request-id',
]);

const optionsOf = (fields: readonly Field[], name: string) =>
  valuesOf(fields, name).flatMap((value) => value.split(',').map((option) => option.trim().toLowerCase()));

function toUnderstood({ method, target, fields, body, trailers }: RequestMessage): UnderstoodRequest {
  const nominated = new Set(optionsOf(fields, 'connection'));
  const lower = (field: Field): Field => [field[0].toLowerCase(), field[1]];
  const kept = fields
    .map(lower)
    .filter(([name]) => !ofThisHop.has(name) && (name === 'expect' || !nominated.has(name)));
  return {
    method,
    target,
    host: valuesOf(fields, 'host')[0] ?? '',
    fields: kept,
    body,
    trailers: trailers.map(lower),
    te: optionsOf(fields, 'te').includes('trailers') ? 'trailers' : null,
    upgrade: nominated.has('upgrade') ? (valuesOf(fields, 'upgrade')[0] ?? null) : null,
  };
}

/** What `messages` mean; `changes[i]` replaces parts of message `offset + i`. */
export function understoodAs(
  messages: readonly RequestMessage[],
  changes: readonly Partial<UnderstoodRequest>[],
  offset = 0,
): UnderstoodRequest[] {
  return messages.map((message, index) => ({ ...toUnderstood(message), ...changes[index - offset] }));
}

/** An answer as a user agent understands it. */
export interface UnderstoodAnswer {
  readonly status: number;
  readonly reason: string;
  readonly fields: readonly Field[];
  readonly body: string;
  readonly trailers: readonly Field[];
  /** Content-Length where it says something about another body than the one that follows. */
  readonly length: string | null;
}

const ofThisAnswer = new Set([
  'te',
  'connection',
  'keep-alive',
  'proxy-connection',
  'upgrade',
  'content-length',
  'transfer-encoding',
]);

export function answeredAs(message: ResponseMessage, method: string): UnderstoodAnswer {
  const { status, reason, fields, body, trailers } = message;
  const nominated = new Set(optionsOf(fields, 'connection'));
  const lower = (field: Field): Field => [field[0].toLowerCase(), field[1]];
  const kept = fields.map(lower).filter(([name]) => !ofThisAnswer.has(name) && !nominated.has(name));
  const tells = method === 'HEAD' || status === 304;
  const length = tells ? (valuesOf(fields, 'content-length')[0] ?? null) : null;
  return { status, reason, fields: kept, body, trailers: trailers.map(lower), length };
}

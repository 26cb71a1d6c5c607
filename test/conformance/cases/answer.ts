/**
 * The corpus of answers, as data: what an upstream sends, right, wrong or in bad faith, and what the client may see of it.
 *
 *   forwarded   the client understands what was sent, hop-by-hop parts aside
 *   refused     the client gets an answer of the sidecar's own and nothing of the upstream's
 *   cut         the answer began well; the client can tell that its end is missing
 *
 * After each of them the next request gets its own answer: no byte of one answer becomes part of another.
 */
export interface AnswerCase {
  readonly name: string;
  readonly rule: string;
  /** latin1, sent when the request has arrived. */
  readonly answer: string;
  readonly outcome: 'forwarded' | 'refused' | 'cut';
  /** Default GET. */
  readonly method?: string;
  /** Header lines of the request. */
  readonly lines?: string;
  readonly minor?: 0 | 1;
  /** What the upstream does behind the answer. Default: keeps the connection open. */
  readonly ending?: 'fin' | 'reset';
  /** Parts of the answer that the client is told in another way. */
  readonly as?: {
    readonly interim?: readonly number[];
    readonly body?: string;
    readonly fields?: readonly (readonly [string, string])[];
  };
  /** Statuses of a refusal; default 502. */
  readonly statuses?: readonly number[];
}

type Extra = Partial<Omit<AnswerCase, 'name' | 'rule' | 'answer' | 'outcome'>>;

export function passes(name: string, rule: string, answer: string, extra: Extra = {}): AnswerCase {
  return { name, rule, answer, outcome: 'forwarded', ...extra };
}

export function fails(name: string, rule: string, answer: string, extra: Extra = {}): AnswerCase {
  return { name, rule, answer, outcome: 'refused', ...extra };
}

export function breaksOff(name: string, rule: string, answer: string, extra: Extra = {}): AnswerCase {
  return { name, rule, answer, outcome: 'cut', ...extra };
}

/** A 200 with these header lines; each ends with CR LF. */
export const ok = (lines: string, rest = '') => `HTTP/1.1 200 OK\r\n${lines}\r\n${rest}`;

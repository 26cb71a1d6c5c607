/** What a schema has to say about a value, in words for whoever wrote the file. */
import type { z } from 'zod';
import { nearestWord } from './did-you-mean.ts';
import { formatPath } from './field-path.ts';
import type { Finding } from './finding.ts';
import { fieldsAt } from './schema-keys.ts';

export interface InputIssue {
  readonly code: Finding['code'];
  readonly path: readonly PropertyKey[];
  /** A key that should not be there, below `path`. */
  readonly key: string | null;
  readonly message: string;
  readonly hint: string;
}

const reference = 'Compare with the reference of this kind (istio.io/latest/docs/reference/config).';

export function toInputIssues(issue: z.core.$ZodIssue, schema: z.ZodType, value: unknown): readonly InputIssue[] {
  const { path } = issue;
  if (issue.code === 'unrecognized_keys') {
    const known = fieldsAt(schema, path);
    return issue.keys.map((key) => unknownField(path, key, known));
  }
  if (issue.code === 'invalid_union' && issue.message === 'Invalid input') {
    const nested = closest(issue.errors);
    if (nested !== null)
      return nested.flatMap((one) => toInputIssues({ ...one, path: [...path, ...one.path] }, schema, value));
  }
  const { message, hint } = wording(issue, readAt(value, path));
  const code =
    issue.code === 'invalid_value' && path.length === 1 && path[0] === 'apiVersion' ? 'WRONG_VERSION' : 'INVALID';
  const at = formatPath(path);
  return [{ code, path, key: null, message: `${at === '' ? 'document' : at}: ${message}`, hint }];
}

function unknownField(path: readonly PropertyKey[], key: string, known: readonly string[]): InputIssue {
  const nearest = nearestWord(key, known);
  const at = formatPath([...path, key]);
  const list = known.length === 0 ? '' : ` Fields here: ${known.join(', ')}.`;
  return {
    code: 'UNKNOWN_FIELD',
    path,
    key,
    message: `${at} is not a field of this API${nearest === null ? '' : `; did you mean ${nearest}?`}`,
    hint: nearest === null ? `Check the spelling and the indentation.${list}` : `Write ${nearest}, or remove it.`,
  };
}

/** The branch of a union with the fewest complaints. */
function closest(branches: readonly (readonly z.core.$ZodIssue[])[]): readonly z.core.$ZodIssue[] | null {
  const sorted = [...branches].sort((a, b) => a.length - b.length);
  return sorted[0] ?? null;
}

function wording(issue: z.core.$ZodIssue, value: unknown): { readonly message: string; readonly hint: string } {
  if (issue.code === 'invalid_type' && value === undefined) return { message: 'is required', hint: reference };
  if (issue.code === 'invalid_type') {
    const given =
      value === null
        ? 'null'
        : Array.isArray(value)
          ? 'a list'
          : typeof value === 'object'
            ? 'a mapping'
            : `${typeof value} ${String(value)}`;
    const wanted =
      { array: 'a list', object: 'a mapping', record: 'a mapping', int: 'a whole number' }[issue.expected as string] ??
      `a ${issue.expected}`;
    const quote = issue.expected === 'string' && (typeof value === 'number' || typeof value === 'boolean');
    return {
      message: `must be ${wanted}, not ${given}`,
      hint: quote ? `Put it in quotes: "${String(value)}".` : reference,
    };
  }
  if (issue.code === 'invalid_value') {
    const values = issue.values.map(String);
    const nearest = typeof value === 'string' ? nearestWord(value, values) : null;
    const message = `must be ${values.length === 1 ? '' : 'one of '}${values.join(', ')}`;
    return { message, hint: nearest === null ? reference : `Did you mean ${nearest}?` };
  }
  if (issue.code === 'too_small' && issue.origin !== 'string') return { message: tooSmall(issue), hint: reference };
  if (issue.code === 'too_small' && Number(issue.minimum) === 1 && issue.message.startsWith('Too small')) {
    return { message: 'must not be empty', hint: reference };
  }
  return { message: issue.message, hint: reference };
}

function tooSmall({ origin, minimum, message }: Extract<z.core.$ZodIssue, { code: 'too_small' }>): string {
  if (!message.startsWith('Too small')) return message;
  if (origin === 'array') return Number(minimum) === 1 ? 'must not be empty' : `must have at least ${minimum} entries`;
  return `must be at least ${minimum}`;
}

function readAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let current = value;
  for (const step of path) {
    if (typeof current !== 'object' || current === null) return undefined;
    current = (current as Readonly<Record<PropertyKey, unknown>>)[step];
  }
  return current;
}

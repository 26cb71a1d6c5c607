/** Rules and matches that can never be reached, because an earlier one takes all they would. */
import { formatPath } from './field-path.ts';
import type { Problems } from './problems.ts';
import type { HttpMatchRequest, VirtualService } from './virtual-service.ts';

const hint = 'Put the narrower rule first; the first rule that matches wins.';

export function checkShadowing({ spec }: VirtualService, problems: Problems): void {
  for (const list of ['http', 'tls', 'tcp'] as const) {
    const rules = (spec[list] ?? []) as readonly {
      readonly match?: readonly object[] | undefined;
      readonly name?: string;
    }[];
    checkList(rules, problems.at(list));
  }
}

interface Earlier {
  readonly match: object;
  readonly rule: number;
}

function checkList(
  rules: readonly { readonly match?: readonly object[] | undefined; readonly name?: string }[],
  problems: Problems,
): void {
  let catchAll: number | null = null;
  const earlier: Earlier[] = [];
  for (const [index, rule] of rules.entries()) {
    const at = problems.at(index);
    const blocks = rule.match ?? [];
    if (catchAll !== null) {
      at.warn(`is never reached: rule ${nameOf(rules, catchAll)} matches everything`, hint, 'SHADOWED_ROUTE');
      continue;
    }
    if (blocks.length === 0) {
      catchAll = index;
      continue;
    }
    const covered = blocks.map((block) => earlier.find(({ match }) => covers(match, block)));
    if (covered.every((one) => one !== undefined)) {
      at.warn(
        `is never reached: rule ${nameOf(rules, covered[0]?.rule ?? 0)} takes what it matches`,
        hint,
        'SHADOWED_ROUTE',
      );
    } else {
      for (const [number, one] of covered.entries()) {
        if (one === undefined) continue;
        at.at('match', number).warn(
          `has no effect: rule ${nameOf(rules, one.rule)} takes what it matches`,
          hint,
          'SHADOWED_ROUTE',
        );
      }
    }
    for (const match of blocks) earlier.push({ match, rule: index });
    // A block without conditions catches everything, like a rule without blocks.
    if (blocks.some((block) => conditionsOf(block).length === 0)) catchAll = index;
  }
}

function nameOf(rules: readonly { readonly name?: string }[], index: number): string {
  return rules[index]?.name === undefined ? formatPath([index]) : `"${rules[index]?.name}"`;
}

const unconditional = new Set(['name', 'statPrefix', 'ignoreUriCase']);

function conditionsOf(block: object): readonly [string, unknown][] {
  return Object.entries(block).filter(([key, value]) => !unconditional.has(key) && !isEmpty(value));
}

function isEmpty(value: unknown): boolean {
  return value === undefined || (typeof value === 'object' && value !== null && Object.keys(value).length === 0);
}

/** True when every request that `narrow` matches is matched by `wide` too. Sure cases only. */
function covers(wide: object, narrow: object): boolean {
  const other = new Map(Object.entries(narrow));
  const ignoresCase = (block: object) => (block as HttpMatchRequest).ignoreUriCase === true;
  return conditionsOf(wide).every(([key, value]) => {
    const own = other.get(key);
    if (own === undefined) return false;
    if (key === 'uri' && ignoresCase(wide) !== ignoresCase(narrow)) return false;
    if (key === 'headers' || key === 'queryParams') return coversEach(value as object, own as object);
    return key === 'uri' || key === 'method' || key === 'authority' || key === 'scheme'
      ? coversValue(value as object, own as object)
      : same(value, own);
  });
}

function coversEach(wide: object, narrow: object): boolean {
  const other = new Map<string, object>(Object.entries(narrow));
  return Object.entries(wide).every(([name, match]: [string, object]) => {
    const own = other.get(name);
    return own !== undefined && (Object.keys(match).length === 0 || coversValue(match, own));
  });
}

function coversValue(wide: object, narrow: object): boolean {
  if (same(wide, narrow)) return true;
  if (!('prefix' in wide) || typeof wide.prefix !== 'string') return false;
  const value = 'prefix' in narrow ? narrow.prefix : 'exact' in narrow ? narrow.exact : null;
  return typeof value === 'string' && value.startsWith(wide.prefix);
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

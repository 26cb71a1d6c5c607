import type { Problems } from './problems.ts';
import { re2Problem } from './re2.ts';

/** An empty prefix or expression is refused by Istio (an empty prefix of the path is not). */
export function checkStringMatch(
  match: object | undefined,
  problems: Problems,
  options: { readonly mayBeEmptyPrefix?: boolean } = {},
): void {
  if (match === undefined) return;
  if ('prefix' in match && match.prefix === '' && options.mayBeEmptyPrefix !== true) {
    problems
      .at('prefix')
      .error('must not be empty', 'Use {} to ask whether a header is there; leave the match out for any value.');
  }
  if (!('regex' in match) || typeof match.regex !== 'string') return;
  if (match.regex === '') problems.at('regex').error('must not be empty', 'Leave the match out for any value.');
  const reason = match.regex === '' ? null : re2Problem(match.regex);
  if (reason === null) return;
  const hint = 'Istio uses RE2 expressions (github.com/google/re2/wiki/Syntax) that match the whole value.';
  problems.at('regex').error(reason, hint, 'BAD_REGEX');
}

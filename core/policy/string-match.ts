import { compileRe2 } from '../model/re2.ts';
import type { StringMatch } from '../model/sidecar-config.ts';

export type StringTest = (value: string) => boolean;

/** Istio StringMatch as a function. Case counts, unless `ignoreCase`, which covers `exact` and `prefix` only. */
export function compileStringMatch(match: StringMatch, ignoreCase = false): StringTest {
  if ('exact' in match) {
    const { exact } = match;
    if (!ignoreCase) return (value) => value === exact;
    const wanted = exact.toLowerCase();
    return (value) => value.toLowerCase() === wanted;
  }
  if ('prefix' in match) {
    const { prefix } = match;
    if (!ignoreCase) return (value) => value.startsWith(prefix);
    const wanted = prefix.toLowerCase();
    return (value) => value.toLowerCase().startsWith(wanted);
  }
  const regexp = compileRe2(match.regex);
  return (value) => regexp.test(value);
}

/** `= "a"`, `begins with "a"`, `matches /a/`: for explanations. */
export function describeStringMatch(match: StringMatch): string {
  if ('exact' in match) return `= "${match.exact}"`;
  if ('prefix' in match) return `begins with "${match.prefix}"`;
  return `matches /${match.regex}/`;
}

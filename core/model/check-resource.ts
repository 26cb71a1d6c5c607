import type { Finding } from './finding.ts';
import { type FieldPath, formatPath, keptFields } from './kept-fields.ts';
import { compileRe2 } from './re2.ts';
import { describeResource, isAppliedKind, type Resource } from './resource.ts';
import type { HttpMatchRequest, HttpRule, VirtualService } from './virtual-service.ts';
import { toHostProcess, type WorkloadEntry } from './workload-entry.ts';

/** A finding before it is known where in a file it stands. */
export type ResourceProblem = Pick<Finding, 'code' | 'severity' | 'message' | 'hint'> & { readonly path: FieldPath };

/**
 * What a schema cannot say about one resource by itself: expressions that do not compile, weights that send nothing
 * anywhere, fields that are kept and not applied. A problem of severity `error` means: do not use the resource.
 */
export function checkResource(resource: Resource): readonly ResourceProblem[] {
  return [...ownProblems(resource), ...keptFields(resource).map((path) => keptProblem(resource, path))];
}

function ownProblems(resource: Resource): readonly ResourceProblem[] {
  if (resource.kind === 'VirtualService') return checkVirtualService(resource);
  return resource.kind === 'WorkloadEntry' ? checkWorkloadEntry(resource) : [];
}

function keptProblem(resource: Resource, path: FieldPath): ResourceProblem {
  const wholeKind = !isAppliedKind(resource.kind);
  const last = path.at(-1);
  const ruleIsLost = last === 'redirect' || last === 'directResponse' || last === 'delegate';
  return {
    code: 'NOT_APPLIED',
    severity: ruleIsLost ? 'warning' : 'info',
    path,
    message: wholeKind
      ? `${describeResource(resource)} is kept and exported, not applied here`
      : `${formatPath(path)} is kept and exported, not applied here`,
    hint: ruleIsLost
      ? 'This rule is skipped here; requests go on to the next rule. Production applies it.'
      : 'Nothing to do; production applies it.',
  };
}

function checkVirtualService(resource: VirtualService): ResourceProblem[] {
  const problems: ResourceProblem[] = [];
  for (const [index, rule] of (resource.spec.http ?? []).entries()) {
    const path: FieldPath = ['spec', 'http', index];
    problems.push(...checkRule(rule, path));
    for (const [number, match] of (rule.match ?? []).entries()) {
      problems.push(...checkMatch(match, [...path, 'match', number]));
    }
  }
  return problems;
}

function checkRule(rule: HttpRule, path: FieldPath): ResourceProblem[] {
  const problems: ResourceProblem[] = [];
  const actions = (['route', 'redirect', 'directResponse', 'delegate'] as const).filter(
    (action) => rule[action] !== undefined,
  );
  if (actions.length !== 1) {
    problems.push({
      code: 'INVALID',
      severity: 'error',
      path,
      message: `a rule needs exactly one of route, redirect, directResponse and delegate; it has ${actions.length === 0 ? 'none' : actions.join(' and ')}`,
      hint: 'Give the rule one action; split it into two rules when it needs two.',
    });
  }
  const route = rule.route ?? [];
  if (route.length > 1 && route.every((destination) => (destination.weight ?? 0) === 0)) {
    problems.push({
      code: 'NO_WEIGHT',
      severity: 'error',
      path: [...path, 'route'],
      message: 'the weights of all destinations are 0, so no request could go anywhere',
      hint: 'Give each destination a weight; 90 and 10 send every tenth request to the second.',
    });
  }
  return problems;
}

function checkMatch(match: HttpMatchRequest, path: FieldPath): ResourceProblem[] {
  const problems: ResourceProblem[] = [];
  const fields: [FieldPath, object | undefined][] = [
    [['uri'], match.uri],
    [['scheme'], match.scheme],
    [['method'], match.method],
    [['authority'], match.authority],
  ];
  for (const group of ['headers', 'withoutHeaders', 'queryParams'] as const) {
    for (const [name, value] of Object.entries(match[group] ?? {})) {
      fields.push([[group, name], value]);
      if (group !== 'queryParams' && name !== name.toLowerCase()) {
        problems.push({
          code: 'HEADER_CASE',
          severity: 'warning',
          path: [...path, group, name],
          message: `header "${name}" should be lower-case; it is read as "${name.toLowerCase()}"`,
          hint: 'Istio wants header names in lower case.',
        });
      }
    }
  }
  for (const [field, value] of fields) {
    if (value !== undefined && 'prefix' in value && value.prefix === '') {
      problems.push({
        code: 'INVALID',
        severity: 'error',
        path: [...path, ...field, 'prefix'],
        message: `${formatPath([...path, ...field, 'prefix'])} must not be empty`,
        hint: 'Istio refuses an empty prefix. Use {} to ask whether a header is there, "/" for every path.',
      });
    }
    const reason = regexProblem(value);
    if (reason === null) continue;
    problems.push({
      code: 'INVALID',
      severity: 'error',
      path: [...path, ...field, 'regex'],
      message: `${formatPath([...path, ...field, 'regex'])} ${reason}`,
      hint: 'Istio uses RE2 expressions (github.com/google/re2/wiki/Syntax) that match the whole value.',
    });
  }
  return problems;
}

function regexProblem(match: object | undefined): string | null {
  if (match === undefined || !('regex' in match) || typeof match.regex !== 'string') return null;
  try {
    compileRe2(match.regex);
    return null;
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause);
  }
}

/** Only processes of this machine can get a sidecar here. */
function checkWorkloadEntry(resource: WorkloadEntry): ResourceProblem[] {
  if (toHostProcess(resource) !== null) return [];
  return [
    {
      code: 'NOT_APPLIED',
      severity: 'info',
      path: ['spec', 'address'],
      message: `${describeResource(resource)} is kept and exported, not applied here: ${resource.spec.address ?? 'no address'} is not a process of this machine`,
      hint: 'To mesh a process of this machine, give the address it listens on: 127.0.0.1, ::1 or localhost.',
    },
  ];
}

/** Header operations of routes and destinations. Source: istio/pkg/config/validation, header_value_validator.go. */
import type { Headers } from './http-actions.ts';
import type { Problems } from './problems.ts';

export function checkHeaderOperations(headers: Headers | undefined, problems: Problems): void {
  for (const direction of ['request', 'response'] as const) {
    const operations = headers?.[direction];
    for (const group of ['set', 'add'] as const) {
      for (const [name, value] of Object.entries(operations?.[group] ?? {})) {
        const at = problems.at(direction, group, name);
        checkName(name, direction === 'request', at);
        const reason = headerValueProblem(value);
        if (reason !== null)
          at.error(reason, 'A percent sign begins a variable such as %REQ(:path)%; write %% for one.');
      }
    }
    for (const [index, name] of (operations?.remove ?? []).entries())
      checkName(name, false, problems.at(direction, 'remove', index));
  }
}

/** Requests may set the authority, as `host` or `:authority`; nothing else may touch a pseudo-header. */
export function isAuthorityName(name: string): boolean {
  return /^(?::authority|host)$/i.test(name);
}

function checkName(name: string, mayBeAuthority: boolean, problems: Problems): void {
  if (name === '') problems.error('needs a name', 'Name the header.');
  else if ((name.startsWith(':') || /^host$/i.test(name)) && !(mayBeAuthority && isAuthorityName(name))) {
    problems.error(
      `"${name}" cannot be changed here`,
      'Use rewrite.authority for the host; ":" headers are not headers.',
    );
  }
}

/** Why Envoy would refuse the value; `null` when it would not. `%` must be `%%` or begin a variable that ends. */
function headerValueProblem(value: string): string | null {
  for (let index = 0; index < value.length; index += 1) {
    const code = value.charCodeAt(index);
    if ((code < 0x20 && code !== 9) || code === 0x7f) return 'has a control character';
  }
  const variable =
    /%(?:%|[^%(]*%|[^%(]*\( *(?:\[ *"(?:\\.|[^"\\])*" *(?:, *"(?:\\.|[^"\\])*" *)*\] *|(?:\\.|[^)\\])*)\) *%)/g;
  return value.replace(variable, '').includes('%') ? 'has a "%" that begins no variable' : null;
}

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', '*'];

export function checkMethodNames(names: readonly string[] | undefined, problems: Problems): void {
  for (const [index, name] of (names ?? []).entries()) {
    if (!methods.includes(name))
      problems.at(index).error(`"${name}" is no HTTP method`, `Known methods: ${methods.join(', ')}.`);
  }
}

/**
 * A path as Envoy hands it on under Istio's default normalization (BASE): dot segments are resolved, escapes of letters,
 * digits and `-._~` are decoded, a backslash is a slash; repeated slashes and all other escapes stay. Without it, a rule for
 * `/admin` could be walked around with `/%61dmin` or `/x/../admin`.
 */
const suspicious = /%|\\|\/\./;
const unreservedEscape = /%(2[de]|3\d|[46][1-9a-f]|[57][0-9a]|5f|7e)/gi;

/** `path` without query. `null`: it holds an escaped NUL, which is refused with 400. The same string when it is normal. */
export function normalizePath(path: string): string | null {
  if (!suspicious.test(path)) return path;
  if (path.includes('%00')) return null;
  const decoded = path.replace(unreservedEscape, (octet) => String.fromCharCode(Number.parseInt(octet.slice(1), 16)));
  const kept: string[] = [];
  const segments = decoded.replaceAll('\\', '/').split('/').slice(1);
  for (const [index, segment] of segments.entries()) {
    const isLast = index === segments.length - 1;
    if (segment !== '.' && segment !== '..') {
      kept.push(segment);
      continue;
    }
    if (segment === '..') kept.pop();
    if (isLast) kept.push('');
  }
  return `/${kept.join('/')}`;
}

/** Exact names first, then the longest wildcard, then `*`; of equals the first. As Envoy chooses among virtual hosts. */
export function compileDomains<T>(
  entries: readonly (readonly [domain: string, value: T])[],
): (name: string) => T | null {
  const exact = new Map<string, T>();
  const wildcards: (readonly [suffix: string, value: T])[] = [];
  let any: T | null = null;
  for (const [domain, value] of entries) {
    if (domain === '*') any ??= value;
    else if (domain.startsWith('*')) wildcards.push([domain.slice(1), value]);
    else if (!exact.has(domain)) exact.set(domain, value);
  }
  wildcards.sort(([a], [b]) => b.length - a.length);
  return (name) => {
    const found = exact.get(name);
    if (found !== undefined) return found;
    for (const [suffix, value] of wildcards) if (name.length > suffix.length && name.endsWith(suffix)) return value;
    return any;
  };
}

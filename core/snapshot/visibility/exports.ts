/** Who sees a resource: `exportTo` of VirtualService, DestinationRule and ServiceEntry. Source: Istio, push_context.go. */

/** True when `namespace` sees what `own` exports: `*` (the default) all, `.` its own, `~` nobody, or names. */
export function isExportedTo(exportTo: readonly string[] | undefined, own: string, namespace: string): boolean {
  return exportTier(exportTo, own, namespace) !== null;
}

/** What is meant for a namespace alone comes before what is meant for it by name, and that before what is for all. */
export function exportTier(exportTo: readonly string[] | undefined, own: string, namespace: string): 0 | 1 | 2 | null {
  if (exportTo === undefined || exportTo.length === 0 || exportTo.includes('*')) return 2;
  if (exportTo.includes('.') && own === namespace) return 0;
  return exportTo.includes(namespace) ? 1 : null;
}

/** True when some namespace sees both, and neither is more for it than the other. */
export function exportsMeet(
  a: readonly string[] | undefined,
  b: readonly string[] | undefined,
  own: string,
  other: string,
): boolean {
  const named = [...(a ?? []), ...(b ?? [])].filter((target) => target !== '.' && target !== '~');
  const namespaces = new Set([own, other, ...named, '*']);
  return [...namespaces].some((namespace) => {
    const tier = exportTier(a, own, namespace);
    return tier !== null && tier === exportTier(b, other, namespace);
  });
}

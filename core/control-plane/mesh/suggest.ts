/** ` Did you mean a, b?` from the names that are near, else what there is; '' when there is nothing. */
export function suggest(wanted: string, names: Iterable<string>): string {
  const unique = [...new Set(names)];
  const near = unique
    .map((name) => ({ name, distance: editDistance(wanted.toLowerCase(), name.toLowerCase()) }))
    .filter(({ name, distance }) => distance <= Math.max(1, wanted.length / 3) || name.includes(wanted))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, 3)
    .map(({ name }) => name);
  if (near.length > 0) return ` Did you mean ${near.join(', ')}?`;
  return unique.length === 0 ? '' : ` There is: ${unique.sort().slice(0, 10).join(', ')}.`;
}

/** Levenshtein: how many letters to add, drop or change. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

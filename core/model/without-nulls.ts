const emptyMeansPresence = new Set(['headers', 'withoutHeaders', 'queryParams']);

/**
 * A value without the fields that are null: what templates leave (`fault: null`, `timeout:`) means "not given", as in
 * protobuf's JSON. A match with nothing in it (`headers: {x-user: }`) asks for presence. List items stay: a null item is
 * a mistake.
 */
export function withoutNulls(value: unknown, parentKey = ''): unknown {
  if (Array.isArray(value)) return value.map((item) => withoutNulls(item));
  if (typeof value !== 'object' || value === null) return value;
  const entries: [string, unknown][] = [];
  for (const [key, item] of Object.entries(value)) {
    if (item !== null && item !== undefined) entries.push([key, withoutNulls(item, key)]);
    else if (emptyMeansPresence.has(parentKey)) entries.push([key, {}]);
    else if (key === 'creationTimestamp') entries.push([key, null]);
  }
  return Object.fromEntries(entries);
}

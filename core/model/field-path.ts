/** Where a field stands in a resource. */
export type FieldPath = readonly (string | number)[];

/** `spec.http[0].retries` */
export function formatPath(path: readonly PropertyKey[]): string {
  return path
    .map((step, index) => (typeof step === 'number' ? `[${step}]` : `${index === 0 ? '' : '.'}${String(step)}`))
    .join('');
}

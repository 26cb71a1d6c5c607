/** Makes a `switch` over a union exhaustive: a new member that is not handled does not compile. */
export function assertNever(value: never): never {
  throw new Error(`unhandled case: ${JSON.stringify(value)}`);
}

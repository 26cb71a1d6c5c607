/** Where long-lived parts write what a maintainer needs and a user does not. Messages are plain text, one line each. */
export interface Logger {
  info(message: string): void;
  warn(message: string): void;
  /** `error` is logged with its stack and causes. */
  error(message: string, error?: unknown): void;
}

export const silentLogger: Logger = {
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

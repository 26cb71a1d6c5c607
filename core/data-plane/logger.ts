export type LogLevel = 'info' | 'warn' | 'error';

/** Where the sidecar's parts say what happened. Messages are for people: what, where, what to do. */
export interface Logger {
  info(message: string): void;
  warn(message: string): void;
  error(message: string, cause?: unknown): void;
}

const rank: Readonly<Record<LogLevel, number>> = { info: 0, warn: 1, error: 2 };

/** One line per message to `write`; `forward` also gets it (the control stream), without stacks. */
export function createLogger(
  level: LogLevel,
  write: (line: string) => void,
  forward: (level: LogLevel, message: string) => void = () => undefined,
): Logger {
  const log = (at: LogLevel, message: string, detail = '') => {
    if (rank[at] < rank[level]) return;
    write(`${new Date().toISOString()} ${at} ${message}${detail}\n`);
    forward(at, message);
  };
  return {
    info: (message) => log('info', message),
    warn: (message) => log('warn', message),
    error: (message, cause) => log('error', message, cause === undefined ? '' : `\n${toText(cause)}`),
  };
}

/** Message of anything that was thrown. */
export function toMessage(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

function toText(thrown: unknown): string {
  return thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
}

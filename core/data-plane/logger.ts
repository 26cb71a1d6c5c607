export type LogLevel = 'info' | 'warn' | 'error';

/** Where the sidecar's parts say what happened. Messages are for people: what, where, what to do. */
export interface Logger {
  info(message: string): void;
  warn(message: string): void;
  error(message: string, cause?: unknown): void;
}

const rank: Readonly<Record<LogLevel, number>> = { info: 0, warn: 1, error: 2 };

/** A service that is down can fail thousands of connections a second; nobody reads more lines than this. */
const maxLinesPerSecond = 50;

/** One line per message to `write`; `forward` also gets it (the control stream), without stacks. */
export function createLogger(
  level: LogLevel,
  write: (line: string) => void,
  forward: (level: LogLevel, message: string) => void = () => undefined,
  nowMs: () => number = Date.now,
): Logger {
  let second = 0;
  let lines = 0;
  const emit = (at: LogLevel, message: string, detail: string) => {
    write(`${new Date(nowMs()).toISOString()} ${at} ${message}${detail}\n`);
    forward(at, message);
  };
  const log = (at: LogLevel, message: string, detail = '') => {
    if (rank[at] < rank[level]) return;
    const now = Math.floor(nowMs() / 1000);
    if (now !== second) {
      const left = lines - maxLinesPerSecond;
      second = now;
      lines = 0;
      if (left > 0) emit('warn', `${left} more messages were left out`, '');
    }
    lines += 1;
    if (lines <= maxLinesPerSecond) emit(at, message, detail);
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

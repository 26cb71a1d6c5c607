import type { Logger } from '../../shared/logger.ts';

const ranks = { info: 0, warn: 1, error: 2, silent: 3 } as const;
export type LogLevel = keyof typeof ranks;

export const isLogLevel = (text: string): text is LogLevel => Object.hasOwn(ranks, text);

/** One line per message, with the time; errors with their stack and causes; fields as JSON. */
export function createStreamLogger(stream: { write(text: string): unknown }, level: LogLevel): Logger {
  const write = (name: 'info' | 'warn' | 'error', message: string, detail?: unknown) => {
    if (ranks[name] < ranks[level]) return;
    stream.write(`${new Date().toISOString()} ${name.padEnd(5)} ${message}${describe(detail)}\n`);
  };
  return {
    info: (message, ...rest: unknown[]) => write('info', message, rest[0]),
    warn: (message, ...rest: unknown[]) => write('warn', message, rest[0]),
    error: (message, error) => write('error', message, error),
  };
}

function describe(detail: unknown): string {
  if (detail === undefined) return '';
  if (!(detail instanceof Error)) return ` ${JSON.stringify(detail)}`;
  const cause = detail.cause === undefined ? '' : `\n  caused by${describe(detail.cause)}`;
  return ` ${detail.stack ?? detail.message}${cause}`;
}

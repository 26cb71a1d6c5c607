import type { TerminalSession } from '../runtime.ts';
import type { OutputBuffer } from './output-buffer.ts';

/** The log of a process as a terminal: what was written so far, then what comes. It takes no input. */
export function followOutput(output: OutputBuffer): TerminalSession {
  let stop = () => undefined as unknown;
  return {
    onData(handler) {
      const toTerminal = (text: string) => handler(text.replaceAll(/\r?\n/g, '\r\n'));
      toTerminal(output.text());
      stop = output.listen(toTerminal);
    },
    onExit: () => undefined,
    write: () => undefined,
    resize: async () => undefined,
    close: () => void stop(),
  };
}

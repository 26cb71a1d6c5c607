import type { FakeHost, HandlersOf } from './fake-control-plane-host.ts';

/** A terminal that prints a page of logs, or echoes what is typed. */
export function fakeTerminals(host: FakeHost): HandlersOf<'terminal'> {
  let opened = 0;
  return {
    'terminal.open': ({ workload, kind }) => {
      opened += 1;
      const id = `t${opened}`;
      setTimeout(() => {
        for (let line = 0; line < 24; line += 1)
          host.emit('terminal.data', {
            id,
            data:
              kind === 'shell' && line > 0
                ? ''
                : `\x1b[90m2026-11-21T04:00:${String(line).padStart(2, '0')}Z\x1b[0m ${line % 7 === 4 ? '\x1b[33mwarn\x1b[0m slow answer from payments' : '\x1b[32minfo\x1b[0m POST /charge 200 11 ms'} ${workload}\r\n`,
          });
        if (kind === 'shell') host.emit('terminal.data', { id, data: '/app $ ' });
      }, 50);
      return { id };
    },
    'terminal.input': ({ id, data }) => {
      host.emit('terminal.data', { id, data: data === '\r' ? '\r\n/app $ ' : data });
      return {};
    },
    'terminal.resize': () => ({}),
    'terminal.close': () => ({}),
  };
}

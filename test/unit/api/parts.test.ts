import { describe, expect, test } from 'vitest';
import { Terminals } from '../../../core/control-plane/api/terminals.ts';
import { OutputBuffer } from '../../../core/control-plane/runtime/process/output-buffer.ts';
import type { TerminalSession } from '../../../core/control-plane/runtime/runtime.ts';
import { Shutdown } from '../../../core/control-plane/shutdown.ts';
import { RecordedLog } from '../../support/contract-fixture.ts';
import { eventually } from '../../support/eventually.ts';

class FakeSession implements TerminalSession {
  readonly written: string[] = [];
  closed = false;
  exit: (code: number | null) => void = () => undefined;
  onData(handler: (data: string) => void): void {
    handler('first line');
  }
  onExit(handler: (code: number | null) => void): void {
    this.exit = handler;
  }
  write(data: string): void {
    this.written.push(data);
  }
  async resize(columns: number, rows: number): Promise<void> {
    this.written.push(`${columns}x${rows}`);
  }
  close(): void {
    this.closed = true;
  }
}

const request = { workload: 'web', target: 'workload', kind: 'shell', columns: 80, rows: 24 } as const;

test('a terminal answers with its id before its first output, and is gone after it exits', async () => {
  const session = new FakeSession();
  const told: unknown[] = [];
  const terminals = new Terminals({
    open: async () => session,
    onData: (event) => told.push(event),
    onExit: (event) => told.push(event),
  });
  const { id } = await terminals.open(request);
  expect(told).toEqual([]);
  await eventually('the output comes', () => told.length > 0);
  expect(told).toEqual([{ id, data: 'first line' }]);
  terminals.input(id, 'ls\n');
  await terminals.resize(id, 100, 30);
  expect(session.written).toEqual(['ls\n', '100x30']);
  session.exit(0);
  expect(told.at(-1)).toEqual({ id, code: 0 });
  expect(() => terminals.input(id, 'x')).toThrow('This terminal has ended.');
  expect(terminals.close(id)).toEqual({});
});

test('all terminals are closed at the end', async () => {
  const sessions = [new FakeSession(), new FakeSession()];
  let next = 0;
  const terminals = new Terminals({
    open: async () => sessions[next++] ?? new FakeSession(),
    onData: () => undefined,
    onExit: () => undefined,
  });
  await terminals.open(request);
  await terminals.open(request);
  terminals.closeAll();
  expect(sessions.map(({ closed }) => closed)).toEqual([true, true]);
});

describe('shutdown', () => {
  test('ends the parts in reverse order, once, and goes on past one that fails or hangs', async () => {
    const log = new RecordedLog();
    const shutdown = new Shutdown(log, 30);
    const ended: string[] = [];
    shutdown.add('first', () => ended.push('first'));
    shutdown.add('hanging', () => new Promise(() => undefined));
    shutdown.add('failing', () => {
      throw new Error('no');
    });
    shutdown.add('last', () => ended.push('last'));
    await Promise.all([shutdown.run(), shutdown.run()]);
    expect(ended).toEqual(['last', 'first']);
    expect(log.lines.join('\n')).toMatch(/ending failing failed[\s\S]*ending hanging failed/);
  });
});

test('an output buffer keeps the last part only and tells what is new', () => {
  const buffer = new OutputBuffer(10);
  const told: string[] = [];
  buffer.append('12345\n');
  const stop = buffer.listen((text) => told.push(text));
  buffer.append('6789\n');
  stop();
  buffer.append('end\n');
  expect(buffer.text()).toBe('6789\nend\n');
  expect(buffer.tail(1)).toBe('end');
  expect(told).toEqual(['6789\n']);
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parsePin, parseTime, parseWeight } from '../../../core/control-plane/cli/arguments.ts';
import { Output } from '../../../core/control-plane/cli/output.ts';
import { runProgram } from '../../../core/control-plane/cli/program.ts';

const dir = mkdtempSync(join(tmpdir(), 'cli-'));
afterAll(() => rmSync(dir, { recursive: true }));

class Recorded {
  text = '';
  readonly isTTY: boolean;
  constructor(isTTY = false) {
    this.isTTY = isTTY;
  }
  write(text: string): void {
    this.text += text;
  }
}

async function run(...args: string[]) {
  const streams = { stdout: new Recorded(), stderr: new Recorded() };
  const code = await runProgram(args, {
    streams,
    cwd: dir,
    env: { MESHDESK_HOME: dir },
    distDir: dir,
    version: '1.2.3',
  });
  return { code, stdout: streams.stdout.text, stderr: streams.stderr.text };
}

describe('exit codes', () => {
  test.each([
    ['status'],
    ['workloads', '--json'],
    ['attach', '--all'],
    ['renew', '--all'],
    ['topology', '--window', '1m'],
    ['fault', 'set', '--to', 'orders', '--delay', '400ms'],
    ['split', 'set', 'payments', 'v1=90', 'v2=10', '--header', 'x-beta=1:v2'],
    ['explain', '--from', 'web', 'POST', 'http://payments/', '-H', 'a: b', '-H', 'c:d'],
    ['requests', '--to', 'payments.shop', '--json'],
    ['cert', 'rotate', '--root'],
    ['export', '--target', 'istio', '--out', 'out'],
  ])('3 without a control plane, saying how to start one: %s %s', async (...args) => {
    const { code, stderr, stdout } = await run(...args);
    expect(code).toBe(3);
    expect(stderr).toContain('npm start');
    expect(stdout === '' || JSON.parse(stdout).error.code === 'NO_CONTROL_PLANE').toBe(true);
  });

  test.each([
    [['nonsense']],
    [['status', '--nonsense']],
    [['attach']],
    [['attach', 'web', '--all']],
    [['renew']],
    [['fault', 'set', '--to', 'orders']],
    [['fault', 'set', '--to', 'orders', '--delay', '1s', '--abort', '503']],
    [['fault', 'set', '--to', 'orders', '--abort', '999']],
    [['fault', 'set', '--abort', '503']],
    [['fault', 'clear']],
    [['split', 'set', 'payments', 'v1']],
    [['split', 'set', 'payments']],
    [['cert', 'rotate']],
    [['explain']],
    [['explain', 'http://payments/']],
    [['explain', '--from', 'web']],
    [['explain', '--from', 'web', 'http://payments/', '-H', 'no header']],
    [['explain', '--id', 'r1', 'http://payments/']],
    [['requests', '--limit', '0']],
    [['topology', '--window', 'soon']],
    [['serve', '--port', '99999']],
    [['export', '--target', 'istio']],
  ])('2 for wrong usage: %j', async (args) => {
    const { code, stderr, stdout } = await run(...args);
    expect(code).toBe(2);
    expect(stderr).toMatch(/error:/);
    expect(stdout).toBe('');
  });

  test('0 for help and version', async () => {
    expect(await run('--version')).toMatchObject({ code: 0, stdout: '1.2.3\n' });
    const help = await run('--help');
    expect(help.code).toBe(0);
    for (const name of [
      'serve',
      'status',
      'workloads',
      'attach',
      'detach',
      'renew',
      'topology',
      'fault',
      'split',
      'cert',
      'export',
      'doctor',
      'cleanup',
    ]) {
      expect(help.stdout).toContain(name);
    }
  });
});

describe('arguments', () => {
  test.each([
    ['400ms', 400],
    ['1.5s', 1_500],
    ['2m', 120_000],
    ['30', 30_000],
  ])('the time %s is %d ms', (text, expected) => {
    expect(parseTime(text)).toBe(expected);
  });

  test('weights and pins', () => {
    expect(parseWeight('v2=10')).toEqual({ subset: 'v2', weight: 10 });
    expect(parsePin('X-User=a:b:v2')).toEqual({ name: 'x-user', value: 'a:b', subset: 'v2' });
    for (const text of ['v1', 'v1=', '=1', 'v1=101', 'v1=1.5']) expect(() => parseWeight(text)).toThrow();
    for (const text of ['x', 'x=1', 'x:v2']) expect(() => parsePin(text)).toThrow();
  });
});

describe('tables', () => {
  test('are aligned, numbers to the right, without colour when piped', () => {
    const stdout = new Recorded();
    const output = new Output({ stdout, stderr: new Recorded() }, false, {});
    output.table(
      ['NAME', 'RATE'],
      [
        [{ text: 'web', colour: 'green' }, '9.5/s'],
        ['payments', '120/s'],
      ],
    );
    expect(stdout.text).toBe('NAME       RATE\nweb       9.5/s\npayments  120/s\n');
  });

  test('are coloured for a terminal, unless NO_COLOR is set', () => {
    for (const [env, coloured] of [
      [{}, true],
      [{ NO_COLOR: '1' }, false],
    ] as const) {
      const stdout = new Recorded(true);
      new Output({ stdout, stderr: new Recorded() }, false, env).table(['A'], [[{ text: 'x', colour: 'red' }]]);
      expect(stdout.text.includes('\u001b[31m')).toBe(coloured);
    }
  });
});

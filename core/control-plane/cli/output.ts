/** How the command line speaks: JSON to stdout with --json, tables otherwise; colour only for a terminal. */
import { MeshError } from '../../contract/errors.ts';

export interface Streams {
  readonly stdout: { write(text: string): unknown; readonly isTTY?: boolean };
  readonly stderr: { write(text: string): unknown };
}

const codes = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;
export type Colour = keyof typeof codes;
export type Cell = string | { readonly text: string; readonly colour: Colour };

const textOf = (cell: Cell) => (typeof cell === 'string' ? cell : cell.text);

export class Output {
  readonly json: boolean;
  readonly #streams: Streams;
  readonly #colours: boolean;

  constructor(streams: Streams, json: boolean, env: NodeJS.ProcessEnv) {
    this.json = json;
    this.#streams = streams;
    this.#colours = streams.stdout.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
  }

  /** The result: `value` with --json, else what `print` says. */
  result(value: unknown, print: () => void): void {
    if (this.json) this.#streams.stdout.write(`${JSON.stringify(value)}\n`);
    else print();
  }

  /** A line for people: stdout, or stderr with --json. */
  say(line: string): void {
    (this.json ? this.#streams.stderr : this.#streams.stdout).write(`${line}\n`);
  }

  /** A line about how it goes, never part of the result. */
  note(line: string): void {
    this.#streams.stderr.write(`${line}\n`);
  }

  paint(colour: Colour, text: string): string {
    return this.#colours ? `\u001b[${codes[colour]}m${text}\u001b[0m` : text;
  }

  /** Columns aligned, headings first; a column of numbers only is aligned to the right. */
  table(headings: readonly string[], rows: readonly (readonly Cell[])[]): void {
    const isNumber = headings.map((_, column) =>
      rows.every((row) => /^(?:-|[\d.,]+(?: ?(?:%|ms|s|B|MB|\/s))?)$/.test(textOf(row[column] ?? ''))),
    );
    const widths = headings.map((heading, column) =>
      Math.max(heading.length, ...rows.map((row) => textOf(row[column] ?? '').length)),
    );
    const line = (cells: readonly Cell[]) =>
      cells
        .map((cell, column) => {
          const text = textOf(cell);
          const padding = ' '.repeat(Math.max(0, (widths[column] ?? 0) - text.length));
          const painted = typeof cell === 'string' ? text : this.paint(cell.colour, text);
          return isNumber[column] && rows.length > 0 ? padding + painted : painted + padding;
        })
        .join('  ')
        .trimEnd();
    this.say(line(headings.map((text) => ({ text, colour: 'dim' }))));
    for (const row of rows) this.say(line(row));
  }

  /** An error with its hint; with --json also as JSON on stdout. */
  error(error: unknown): void {
    const known = error instanceof MeshError ? error : null;
    const message = known?.message ?? (error instanceof Error ? error.message : String(error));
    this.note(`${known === null ? 'error' : `error ${known.code}`}: ${message}`);
    for (const issue of known?.issues.slice(1) ?? []) this.note(`  ${issue.path}: ${issue.message}`);
    if (known !== null) this.note(known.hint);
    if (this.json) {
      const body = { code: known?.code ?? 'INTERNAL', message, hint: known?.hint ?? '', issues: known?.issues ?? [] };
      this.#streams.stdout.write(`${JSON.stringify({ error: body })}\n`);
    }
  }
}

/** A figure with at most three digits that matter; '-' without one. */
export function figure(value: number | null, unit = ''): string {
  if (value === null) return '-';
  const digits = value >= 100 || Number.isInteger(value) ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)}${unit}`;
}
